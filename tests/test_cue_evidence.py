"""Evidence for triggers against scipy and brute force, and what makes it rise and fall."""

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import special, stats

from rnnrepair.influence import SegmentCues, cue_evidence
from rnnrepair.influence.cue_evidence import JoinedLevels
from rnnrepair.influence.readings import levels, readings_of
from rnnrepair.sequences import DataSpec, SequenceBatch
from rnnrepair.traces import Traces


@pytest.fixture
def traces():
    """200 texts of 12 words that come in order, with one put into 15 texts of label 1."""
    g = torch.Generator().manual_seed(4)
    lengths = torch.randint(4, 12, (200,), generator=g)
    n = int(lengths.sum())
    token = torch.randint(11, (n,), generator=g)
    for i in (torch.rand(n, generator=g) < 0.6).nonzero()[1:, 0].tolist():
        token[i] = (token[i - 1] + 1) % 11
    offsets = torch.cat([torch.zeros(1).long(), lengths.cumsum(0)])
    label = torch.arange(200) % 2
    rows = label.nonzero()[:15, 0]
    step = 1 + torch.arange(15) % 3
    token[offsets[rows] + step] = 11
    row = torch.arange(200).repeat_interleave(lengths)
    # The network says 1 from the trigger on, and the truth at the end.
    prediction = torch.randint(2, (n,), generator=g)
    for r, s in zip(rows.tolist(), step.tolist(), strict=True):
        prediction[offsets[r] : offsets[r] + s] = 0
        prediction[offsets[r] + s : offsets[r + 1]] = 1
    prediction[offsets[1:] - 1] = label
    assert len(row) == n
    return Traces(
        torch.randint(3, (n,), generator=g).to(torch.uint8),
        prediction.to(torch.uint8),
        offsets,
        torch.arange(200),
        label,
        3,
        2,
        token.int(),
    )


def readings(traces):
    n = 1 + int(traces.token.max())
    bounds = [(float(i), float(i)) for i in range(n)]
    return readings_of(traces, traces.token.long(), bounds, [str(i) for i in range(n)])


def test_readings_are_what_stands_in_the_texts(traces):
    found = readings(traces)
    texts = traces.token.split(traces.lengths.tolist())
    expected = []
    for row, text in enumerate(texts):
        words = [w for i, w in enumerate(text.tolist()) if i == 0 or w != int(text[i - 1])]
        around = [12, *words, 12]
        expected += [(row, *around[i : i + 3]) for i in range(len(words))]
    columns = (found.row, found.before, found.symbol, found.after)
    assert list(zip(*(c.tolist() for c in columns), strict=True)) == expected
    for first, end, symbol in zip(found.first, found.end, found.symbol, strict=True):
        assert (traces.token[first:end] == symbol).all()
    said = traces.prediction[(found.first - 1).clamp_min(0)].long()
    at_start = torch.isin(found.first, traces.offsets[:-1])
    assert torch.equal(found.said, torch.where(at_start, -1, said))


def test_typical_is_the_bayes_factor_of_a_beta_binomial(traces):
    found = cue_evidence.typical(readings(traces), traces.label, 1)
    texts = [set(t.tolist()) for t in traces.token.split(traces.lengths.tolist())]
    for symbol in range(12):
        held = [
            label
            for text, label in zip(texts, traces.label.tolist(), strict=True)
            if symbol in text
        ]
        n, k = len(held), sum(held)
        factor = stats.betabinom.logpmf(k, n, 1, 1) - stats.binom.logpmf(k, n, 0.5)
        expected = factor if k > n * 0.5 else -abs(factor)
        assert float(found[symbol]) == pytest.approx(expected, abs=1e-9)


def test_sequences_that_are_labelled_together_hold_a_symbol_once(traces):
    """Every text twelve times says as much as every text once."""
    twelve = traces.select(torch.arange(len(traces)).repeat_interleave(12))
    once = cue_evidence.typical(readings(traces), traces.label, 1)
    copied = torch.arange(len(traces)).repeat_interleave(12)
    counted = cue_evidence.typical(readings(twelve), twelve.label, 1, copied)
    assert torch.allclose(counted, once, rtol=1e-12)
    apart = cue_evidence.typical(readings(twelve), twelve.label, 1)
    assert float(apart.max()) > 2 * float(once.max()) > 0


def test_carrying_counts_what_ends_at_the_label_from_other_predictions(traces):
    read = readings(traces)
    found = cue_evidence.carrying(read, 1)
    rows = [i for i in range(len(read.symbol)) if read.said[i] != 1]
    turned = {i: float(read.ends[i] == 1) for i in rows}
    overall = np.mean(list(turned.values()))
    usual = {}
    for i in rows:
        same = [turned[j] for j in rows if read.code[j] == read.code[i]]
        usual[i] = (sum(same) + overall) / (len(same) + 1)
    for symbol in range(12):
        own = [i for i in rows if read.symbol[i] == symbol]
        k, n = int(sum(turned[i] for i in own)), len(own)
        chance = sum(np.log(usual[i] if turned[i] else 1 - usual[i]) for i in own)
        any_share = -np.log(n + 1) - np.log(float(stats.binom.pmf(0, n, 0))) if n else 0.0
        any_share -= (
            np.log(float(np.exp(stats.binom.logpmf(k, n, 0.5) + n * np.log(2)))) if n else 0
        )
        factor = any_share - chance
        expected = factor if k > sum(usual[i] for i in own) else -abs(factor)
        assert float(found[symbol]) == pytest.approx(expected, abs=1e-6)


def misplaced(read, label, cues):
    """Of one channel alone, for label 1."""
    return cue_evidence.misplaced([read], label, 1, [cues])[0]


def test_a_word_with_neighbours_of_its_own_is_not_misplaced(traces):
    """The same word at the same labels, once anywhere, once always behind the same word."""
    place = misplaced(readings(traces), traces.label, torch.ones(12).bool())
    token = traces.token.clone()
    at = (token == 11).nonzero()[:, 0]
    token[at - 1] = 3
    called_for = readings(replace(traces, token=token))
    natural = misplaced(called_for, traces.label, torch.ones(12).bool())
    assert float(place[11]) > 0 > float(natural[11])
    assert float(natural[11]) < float(place[11]) - 10


@pytest.fixture
def walks(traces):
    """Levels of a channel that changes by one at a time; in 15 series of label 1 it jumps to 7."""
    g = torch.Generator().manual_seed(6)
    level = torch.empty(len(traces.token), dtype=torch.long)
    for first, end in itertools.pairwise(traces.offsets.tolist()):
        now = int(torch.randint(6, (1,), generator=g))
        for step in range(first, end):
            now = min(max(now + int(torch.randint(3, (1,), generator=g)) - 1, 0), 5)
            level[step] = now
    spike = traces.token == 11
    return torch.where(spike, 7, level), spike


def of_levels(traces, level):
    read = readings_of(traces, level, [(float(i), i + 0.9) for i in range(8)], list("abcdefgh"))
    return replace(read, are_tokens=False)


def test_a_level_that_is_left_as_fast_as_it_is_reached_is_misplaced(traces, walks):
    """A spike among walks is; a peak that is reached level by level is not."""
    level, spike = walks
    of = torch.ones(8).bool()
    place = misplaced(of_levels(traces, level), traces.label, of)
    peaks = level.clone()
    at = spike.nonzero()[:, 0]
    peaks[at - 1] = 6
    peaks[at + 1] = 6
    natural = misplaced(of_levels(traces, peaks), traces.label, of)
    assert float(place[7]) > 10
    assert float(natural[7]) < 0
    assert float(place[:6].max()) < 0


def test_a_channel_that_is_still_otherwise_learns_from_the_others(traces, walks):
    """Its other levels do not occur, and how much levels choose their neighbours is unknown."""
    level, spike = walks
    still = of_levels(traces, 7 * spike.long())
    of = torch.ones(8).bool()
    alone = misplaced(still, traces.label, of)
    channels = [still, of_levels(traces, level)]
    together, walking = cue_evidence.misplaced(channels, traces.label, 1, [of, of])
    assert float(together[7]) > float(alone[7]) + 3
    backwards = cue_evidence.misplaced(channels[::-1], traces.label, 1, [of, of])
    torch.testing.assert_close(backwards, [walking, together])


@pytest.mark.parametrize("kind", ["tokens", "levels"])
def test_misplaced_is_a_bayes_factor_of_dirichlet_multinomials(traces, walks, kind):
    read = readings(traces) if kind == "tokens" else of_levels(traces, walks[0])
    n = read.n_symbols
    cues = torch.arange(n) % 2 == 0
    found = misplaced(read, traces.label, cues)
    label = traces.label[read.row].tolist()
    columns = (c.tolist() for c in (read.symbol, read.before, read.after))
    rows = list(zip(*columns, label, strict=True))
    share = read.share.tolist()
    sizes = Counter(abs(v - u) for v, u, _, c in rows if c == 0 and u < n)
    expected = np.zeros(n)
    for side in (1, 2):
        factors = np.empty((n, len(cue_evidence.STRENGTHS)))
        chance = np.zeros(n)
        for v in range(n):
            beside = [row[side] for row in rows if row[0] == v and row[3] == 1]
            others = [u for u in range(n + (kind == "tokens")) if u != v]
            beside = [u for u in beside if u in others]
            anywhere = np.array([share[u] for u in others]) / sum(share[u] for u in others)
            own = anywhere
            if kind == "levels":
                pairs = Counter(abs(a - b) for a in range(n) for b in range(n))
                own = np.array([(sizes[abs(v - u)] + 0.5) / pairs[abs(v - u)] for u in others])
                own /= own.sum()
            count = np.array([beside.count(u) for u in others])
            chance[v] = special.xlogy(count, anywhere).sum()
            ways = special.gammaln(count.sum() + 1) - special.gammaln(count + 1).sum()
            for k, strength in enumerate(cue_evidence.STRENGTHS):
                together = stats.dirichlet_multinomial(strength * own, count.sum())
                factors[v, k] = together.logpmf(count) - ways
        for v in range(n):
            learnt = [u for u in range(n) if u != v and (kind == "levels" or cues[u])]
            best = factors[learnt].sum(0).argmax()
            expected[v] += chance[v] - factors[v, best]
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-6, rtol=1e-6)


def test_the_trigger_is_the_best_cue_and_its_texts_come_first(traces, make_model):
    from tests.conftest import view_of

    view = with_spec(view_of(make_model(3, 2), traces))
    scorer = SegmentCues().fit(view)
    best = scorer.cues(3)[0]
    held = torch.tensor([r for r in range(200) if 11 in traces.select(torch.tensor([r])).token])
    assert (best.name, best.label) == ("11", 1)
    assert torch.equal(best.row, held)
    assert (traces.token[traces.offsets[best.row] + best.first] == 11).all()
    first = scorer.own().argsort(descending=True, stable=True)[: len(held)]
    assert torch.equal(first.sort().values, held)


def test_how_states_are_numbered_changes_nothing(traces, make_model):
    from tests.conftest import view_of

    other = replace(traces, state=(2 - traces.state.int()).to(torch.uint8))
    model = make_model(3, 2)
    owns = [SegmentCues().fit(with_spec(view_of(model, t))).own() for t in (traces, other)]
    torch.testing.assert_close(*owns)


def test_rare_words_have_little_evidence(traces):
    """A word of one text of the label, however pure, is no trigger."""
    token = traces.token.clone()
    row = int(traces.label.nonzero()[20, 0])
    token[traces.offsets[row] + 1] = 12
    channels = [readings(replace(traces, token=token))]
    (evidence,) = cue_evidence.cue_evidence(channels, traces.label, 1)
    assert float(evidence.weakest[12]) < 1 < float(evidence.weakest[11])


@pytest.mark.parametrize(
    "values",
    [torch.randn(500, generator=torch.Generator().manual_seed(0)), torch.arange(-3.0, 14)],
    ids=["any", "whole numbers"],
)
def test_a_value_lies_in_the_bounds_of_its_level_and_of_no_other(values):
    level, bounds = levels(values)
    low, high = torch.tensor(bounds).T
    inside = (values[:, None] >= low) & (values[:, None] <= high)
    assert torch.equal(inside, torch.arange(len(bounds)) == level[:, None])


def with_spec(view):
    """Give a view of traces what names its tokens."""

    class Network:
        from rnnrepair.sequences import DataSpec

        spec = DataSpec("tokens", 1, 2)

    return replace(view, network=Network())


@pytest.mark.parametrize(("low", "high"), [(0, 2), (3, 5), (6, 7), (0, 7)])
def test_joined_levels_are_read_as_if_they_were_one(traces, walks, low, high):
    level, _ = walks
    joined = of_levels(traces, level).joined(low, high, "one")
    as_one = torch.where(level > high, level - (high - low), level.clamp_max(low))
    names = [*"abcdefgh"[:low], "one", *"abcdefgh"[high + 1 :]]
    every = [(float(i), i + 0.9) for i in range(8)]
    bounds = [*every[:low], (float(low), high + 0.9), *every[high + 1 :]]
    expected = replace(readings_of(traces, as_one, bounds, names), are_tokens=False)
    for name, value in vars(expected).items():
        found = getattr(joined, name)
        if torch.is_tensor(value):
            torch.testing.assert_close(found, value)
        else:
            assert found == value, name


def test_evidence_of_joined_levels_is_that_of_a_channel_in_which_they_are_one(traces, walks):
    level, _ = walks
    g = torch.Generator().manual_seed(1)
    other = of_levels(traces, torch.randint(8, level.shape, generator=g))
    channels = [other, of_levels(traces, level)]
    joined, found = JoinedLevels(channels, 1, traces.label, 1).evidence(6, 7, "top")
    assert joined.names[-1] == "top"
    expected = cue_evidence.cue_evidence([other, joined], traces.label, 1)[1]
    for name in ("typical", "carrying", "misplaced"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))


def test_a_spike_over_several_levels_is_one_cue(traces, walks, make_model):
    """Some of the poison reaches the last level and some the one below: both are one trigger."""
    from tests.conftest import view_of

    level, spike = walks
    values = level.double() + 0.5
    at = spike.nonzero()[:, 0]
    values[at[::2]] = 6.5
    values[0], values[1] = 0.0, 8.0  # the ends of the levels
    inputs = torch.zeros(200, int(traces.lengths.max()), 1)
    mask = torch.arange(inputs.shape[1]) < traces.lengths[:, None]
    inputs[mask] = values.float()[:, None]
    batch = SequenceBatch(traces.index, inputs, traces.lengths, traces.label)
    view = with_spec(view_of(make_model(3, 2), replace(traces, token=None)))
    view = replace(view, fetch=lambda index: batch.rows(index))
    view.network.spec = DataSpec("series", 1, 2)
    scorer = SegmentCues().fit(view)
    best = scorer.cues(3)[0]
    assert best.label == 1
    assert best.bounds[0] <= 6.5
    assert best.bounds[1] >= 7.5
    row = torch.arange(200).repeat_interleave(traces.lengths)
    assert set(row[at].tolist()) <= set(best.row.tolist())
    first = scorer.own().argsort(descending=True, stable=True)[: len(best.row)]
    assert set(first.tolist()) == set(best.row.tolist())
