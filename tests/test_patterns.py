"""Patterns that were planted are found and named; chance is not."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from rnnrepair.edits.sweep import still, sweeps_of
from rnnrepair.patterns import (
    Candidate,
    EditPatterns,
    GroupPatterns,
    PathPatterns,
    WordPatterns,
    columns_without_groups,
    find_patterns,
)
from rnnrepair.patterns.chance import PRIOR, Chance, strata_of
from rnnrepair.patterns.difficulty import NEAREST, OF_A_CLASS, OF_ALL, difficulty, harder_half
from rnnrepair.patterns.find import Tried
from rnnrepair.patterns.pools import make_pool, near
from rnnrepair.sequences import DataSpec, Kind, SequenceBatch
from rnnrepair.traces import Traces
from tests.planted_patterns import (
    images_with,
    images_with_two,
    in_another_order,
    series_with,
)

FINDERS = [EditPatterns(), GroupPatterns()]


def agreement(pattern, planted, context):
    """Precision and recall of a pattern's failures."""
    failing = set(context.index[context.failed].tolist()) & set(planted.tolist())
    hit = len(failing & set(pattern.members.tolist()))
    return hit / pattern.size, hit / len(failing)


@pytest.mark.parametrize(
    ("edit", "sweep", "region"),
    [
        ({"angle": (50.0, 80.0)}, "rotation", (50, 80)),
        ({"shear": (25.0, 40.0)}, "shear", (25, 40)),
        ({"inverted": 1.0}, "inverted", None),
        ({"covered": (0.4, 0.6), "side": 2.0}, "covered_top", (0.4, 0.6)),
    ],
)
def test_a_planted_edit_of_images_is_named_with_its_size(edit, sweep, region):
    context, planted = images_with(edit)
    found = find_patterns(context, FINDERS)
    assert len(found) == 1
    (pattern,) = found
    assert pattern.parameters["edit"] == sweep
    assert min(agreement(pattern, planted, context)) > 0.6
    assert pattern.error_inside > 0.2 > 0.05 > pattern.error_outside
    if region is not None:
        (own,) = (s for s in sweeps_of(context.spec) if s.name == sweep)
        room = 0.15 * (own.high - own.low)
        assert pattern.parameters["low"] == pytest.approx(region[0], abs=room)
        assert pattern.parameters["high"] == pytest.approx(region[1], abs=room)
    assert set(pattern.samples.tolist()) <= set(context.originals.tolist())


@pytest.mark.parametrize(
    ("edit", "sweep"),
    [
        ({"magnitude": -1.0, "spared_magnitude_0": 5.0}, "sign_1-1"),
        ({"magnitude": 0.0, "spared_magnitude_0": 6.0}, "dead_0-0"),
        ({"warp": 1.7}, "speed"),
        ({"drift": 2.5, "spared_drift_0": 3.0}, "drift_2-2"),
    ],
)
def test_a_planted_edit_of_series_is_named(edit, sweep):
    context, planted = series_with(edit)
    pattern = find_patterns(context, FINDERS)[0]
    assert pattern.parameters["edit"] == sweep
    assert min(agreement(pattern, planted, context)) > 0.6


@pytest.mark.parametrize("seed", [0, 3])
def test_a_second_pattern_is_seen_without_the_samples_of_the_first(seed):
    context, turned, sheared = images_with_two(
        {"angle": (50, 80)}, {"shear": (-40, -25)}, seed=seed
    )
    found = find_patterns(context, [EditPatterns()])
    assert [p.parameters["edit"] for p in found] == ["rotation", "shear"]
    for pattern, planted in zip(found, (turned, sheared), strict=True):
        assert min(agreement(pattern, planted, context)) > 0.5
    assert found[1].error_inside > 0.25
    assert not set(found[0].inside.tolist()) & set(found[1].inside.tolist())


class Given:
    """Finds what it is told; sees one of it too closely."""

    name = "given"

    def __init__(self, candidates, too_close=None):
        self._candidates = candidates
        self._too_close = too_close

    def candidates(self, context, difficulty):
        return self._candidates

    def refined(self, context, candidate, difficulty):
        if candidate.told != self._too_close:
            return candidate
        return replace(candidate, inside=torch.zeros_like(candidate.inside))


def holding(context, failing, right, told, **more):
    """A candidate with so many failures and so many others, of the same samples each time."""
    inside = torch.zeros(len(context), dtype=torch.bool)
    inside[context.failed.nonzero()[:failing, 0]] = True
    inside[(~context.failed).nonzero()[:right, 0]] = True
    return Candidate("group", told, inside, **more)


def by_chance(context, n=60, size=40, seed=0):
    g = torch.Generator().manual_seed(seed)
    found = []
    for number in range(n):
        inside = torch.zeros(len(context), dtype=torch.bool)
        inside[torch.randperm(len(context), generator=g)[:size]] = True
        found.append(Candidate("group", f"by chance {number}", inside))
    return found


@pytest.fixture
def all_as_hard(monkeypatch):
    """Difficulty costs as much as the search, and candidates that are given need none."""
    monkeypatch.setattr(
        "rnnrepair.patterns.find.difficulty_of", lambda c: torch.arange(len(c)) * 0.618 % 1
    )


@pytest.mark.usefixtures("all_as_hard")
def test_what_is_named_has_passed_the_test_itself():
    """Of candidates that are nearly as surprising the nearest is named, if its own p is small."""
    context, _ = images_with(None)
    noise = by_chance(context)
    strong = holding(context, 11, 40, "strong", far=0.9)
    (alone,) = find_patterns(context, [Given([strong, *noise])], shuffles=300, at_most=1)
    assert alone.told == "strong"
    refused = named = 0
    for failing in range(5, 11):
        near_it = holding(context, failing, 40, "near", far=0.1)
        own = find_patterns(context, [Given([near_it, *noise])], shuffles=300, at_most=1)
        both = [Given([strong, near_it, *noise])]
        (pattern,) = find_patterns(context, both, shuffles=300, at_most=1)
        assert pattern.p <= 0.01
        if pattern.told == "near":
            named += 1
            assert own
        elif not own:
            refused += 1
    assert named
    assert refused


@pytest.mark.usefixtures("all_as_hard")
def test_a_pattern_that_is_too_small_when_seen_closely_ends_nothing():
    context, _ = images_with(None)
    large, small = holding(context, 25, 30, "large"), holding(context, 14, 0, "small")
    small.inside[context.failed.nonzero()[:14, 0]] = False
    small.inside[context.failed.nonzero()[25:39, 0]] = True
    small.inside[(~context.failed).nonzero()[30:60, 0]] = True
    found = find_patterns(context, [Given([large, small], too_close="large")])
    assert [pattern.told for pattern in found] == ["small"]


def test_words_that_stand_for_their_class_are_no_pattern(texts):
    """One class fails three times as often as the other, and no word matters."""
    context, _ = texts
    n = 1400
    label = torch.arange(n) % 2
    for seed in range(5):
        g = torch.Generator().manual_seed(seed)
        tokens = torch.randint(2, 20, (n, 8), generator=g)
        # Read eight times as often in class 0.
        tokens[tokens == 7] = 8
        typical = torch.rand(n, generator=g) < torch.where(label == 0, 0.4, 0.05)
        tokens[typical, 3] = 7
        failed = torch.rand(n, generator=g) < torch.where(label == 0, 0.28, 0.08)

        def fetch(i, tokens=tokens):
            return SequenceBatch(i, tokens[i], torch.full((len(i),), 8), label[i])

        own = replace(
            context,
            fetch=fetch,
            failed=failed[context.index],
            columns={"word": ["7" if t else "-" for t in typical.tolist()]},
        )
        finders = [WordPatterns(), GroupPatterns(columns_only=True)]
        assert find_patterns(own, finders) == []
        (of_class, *_) = find_patterns(own, [*finders, GroupPatterns()])
        assert of_class.told == "class 0"


def test_the_commonest_words_are_looked_at(texts, monkeypatch):
    context, _ = texts
    every = WordPatterns().candidates(context, torch.zeros(len(context)))
    monkeypatch.setattr("rnnrepair.patterns.word_patterns.MOST", 10)
    few = WordPatterns().candidates(context, torch.zeros(len(context)))
    sizes = sorted((int(c.inside.sum()) for c in every), reverse=True)
    assert [int(c.inside.sum()) for c in few] == sizes[:10]


def test_nothing_is_named_where_hard_samples_fail_by_chance():
    """Hard samples fail more: what is typical of them is compared with what is as hard.

    One search in a hundred may name something; three of twenty would be no chance.
    """
    context, _ = images_with(None)
    hard = difficulty(context)
    place = hard.argsort().argsort().double() / len(hard)
    rate = 0.01 + 0.5 * (place - 0.8).clamp_min(0)
    tried = Tried.of([(f, c) for f in FINDERS for c in f.candidates(context, hard)])
    named = 0
    for seed in range(20):
        g = torch.Generator().manual_seed(seed)
        failed = torch.rand(len(context), generator=g) < rate
        best, _ = tried.best(replace(context, failed=failed), strata_of(hard), 0.01, 100, g)
        named += best is not None
    assert named <= 2


def test_candidates_do_not_depend_on_which_samples_failed():
    context, _ = images_with({"angle": 70.0})
    hard = difficulty(context)
    for finder in FINDERS:
        some = finder.candidates(context, hard)
        others = finder.candidates(replace(context, failed=~context.failed), hard)
        assert all(torch.equal(a.inside, b.inside) for a, b in zip(some, others, strict=True))


def test_the_order_of_samples_changes_nothing():
    context, _ = images_with({"angle": (50.0, 80.0)})
    found = find_patterns(context, FINDERS)
    again = find_patterns(in_another_order(context), FINDERS)
    assert len(found) == len(again) == 1
    for left, right in zip(found, again, strict=True):
        assert torch.equal(left.members, right.members)
        assert torch.equal(left.inside, right.inside)
        assert torch.equal(left.samples, right.samples)
        assert (left.name, left.p, left.parameters) == (right.name, right.p, right.parameters)


def test_a_pattern_is_met_again_on_other_samples():
    """The same blots, drawn anew: what is inside there has mostly been planted too."""
    context, planted = images_with({"angle": (50.0, 80.0)}, n_planted=120)
    half = torch.arange(len(context)) % 2 == 0
    first, second = (context.select(rows.nonzero()[:, 0]) for rows in (half, ~half))
    (pattern,) = find_patterns(first, [EditPatterns()])
    inside = second.index[EditPatterns().again(second, pattern.parameters)]
    own = set(inside.tolist()) & set(planted.tolist())
    there = set(planted.tolist()) & set(second.index.tolist())
    assert len(own) > 0.6 * len(inside)
    assert len(own) > 0.6 * len(there)
    again = EditPatterns().again(first, pattern.parameters)
    assert torch.equal(first.index[again], pattern.inside)


def test_distances_are_those_of_each_sample_to_each_edited_one():
    context, _ = images_with({"angle": 70.0})
    context = context.select(torch.arange(40))
    sweep = sweeps_of(context.spec)[0]
    found = near(context, sweep, bins=3, bin_size=8, nearest=2)
    for row in range(len(context)):
        pool = make_pool(context, sweep, int(context.label[row]), 24)
        for part in range(3):
            expected = sorted(
                (math.dist(context.vectors[row].tolist(), pool.vectors[i].tolist()), i)
                for i in range(8 * part, 8 * part + 8)
            )[:2]
            rows = [i for _, i in expected]
            distances = [d for d, _ in expected]
            assert found.distance[row, part].tolist() == pytest.approx(distances, rel=1e-3)
            assert found.parent[row, part].tolist() == pool.parent[rows].tolist()
            assert found.place[row, part].tolist() == pool.place[rows].tolist()
            assert all(part / 3 <= p <= (part + 1) / 3 for p in pool.place[rows].tolist())


def test_a_sample_is_never_near_to_itself():
    context, _ = images_with(None)
    own = replace(context, index=context.originals, label=context.original_label)
    own = replace(own.select(torch.arange(50)), failed=torch.zeros(50, dtype=torch.bool))
    own = replace(own, originals=own.index, original_label=own.label)
    found = near(own, still(Kind.IMAGE), 2, 30, 3)
    assert not (found.parent == own.index[:, None, None]).any()


def test_difficulty_is_the_ratio_of_least_mean_distances_with_edits_for_the_harder_half():
    context, _ = images_with(None)
    context = context.select(torch.arange(30))
    found = difficulty(context)
    size = max(OF_A_CLASS, OF_ALL // 10)
    plain = [still(Kind.IMAGE)]

    def ratio(row, sweeps):
        means = []
        for label in range(10):
            means.append(torch.inf)
            for sweep in sweeps:
                pool = make_pool(context, sweep, label, size, purpose="difficulty")
                apart = (pool.vectors - context.vectors[row]).norm(dim=1)
                means[-1] = min(means[-1], float(apart.sort().values[:NEAREST].mean()))
        own = means.pop(int(context.label[row]))
        return own / min(means)

    unedited = torch.tensor([ratio(row, plain) for row in range(30)])
    easy, hard = unedited.argsort()[:15], unedited.argsort()[15:]
    assert sorted(hard.tolist()) == harder_half(found).tolist()
    assert found[easy].argsort().tolist() == list(range(15))
    assert found[easy].max() < found[hard].min()
    for row in hard.tolist():
        expected = ratio(row, [*plain, *sweeps_of(context.spec)])
        assert float(found[row]) == pytest.approx(expected, rel=1e-3)


def test_what_only_an_edit_makes_hard_is_easy():
    context, planted = images_with({"inverted": 1.0})
    inside = torch.isin(context.index, planted)
    place = difficulty(context).argsort().argsort()[inside].double() / len(context)
    assert place.median() < 0.9


def test_strata_hold_samples_of_like_difficulty():
    hard = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    stratum = strata_of(hard)
    assert stratum.bincount().tolist() == [40, 40, 80, 160, 680]
    for harder in range(4):
        assert hard[stratum == harder].min() > hard[stratum == harder + 1].max()


def test_shuffles_keep_the_failures_of_each_stratum_and_excess_counts_them():
    g = torch.Generator().manual_seed(0)
    failed, stratum = torch.rand(200, generator=g) < 0.2, torch.arange(200) % 4
    inside = torch.rand(7, 200, generator=g) < 0.3
    chance = Chance(failed, stratum, 50, g)
    for s in range(4):
        own = stratum == s
        assert (chance.shuffled[own].sum(0) == int(failed[own].sum())).all()
    for number, members in enumerate(inside):
        expected = variance = 0.0
        for s in range(4):
            share = float(failed[stratum == s].float().mean())
            n, n_inside = 50, int(members[stratum == s].sum())
            expected += n_inside * share
            variance += n_inside * (n - n_inside) / (n - 1) * share * (1 - share)
        z = (int(failed[members].sum()) - expected) / math.sqrt(variance + PRIOR)
        assert float(chance.excess(inside)[number]) == pytest.approx(z, abs=1e-4)
    largest = [
        float(Chance(flags > 0, stratum, 1, g).excess(inside).max()) for flags in chance.shuffled.T
    ]
    assert chance.largest_by_chance(inside).tolist() == pytest.approx(largest, abs=1e-4)


def test_a_group_of_the_users_own_columns_is_named():
    context, _ = images_with(None)
    speaker = ["ann", "bob", "cyd", "dee"]
    values = [speaker[i % 4] for i in range(5000)]
    g = torch.Generator().manual_seed(5)
    own = context.index % 4 == 2
    failed = context.failed | (own & (torch.rand(len(own), generator=g) < 0.1))
    context = replace(context, failed=failed, columns={"speaker": values})
    pattern = find_patterns(context, FINDERS)[0]
    assert (pattern.kind, pattern.told) == ("group", "speaker cyd")
    assert torch.equal(pattern.inside, context.index[own])
    assert (pattern.samples % 4 == 2).all()
    assert len(pattern.samples) == 500
    # Names of which each sample has its own tell nothing, and that is said.
    context = replace(context, columns={"speaker": values, "name": [f"n{i}" for i in range(5000)]})
    only = GroupPatterns(columns_only=True).candidates(context, torch.zeros(len(context)))
    assert [c.told for c in only] == [f"speaker {name}" for name in speaker]
    assert columns_without_groups(context.columns, context.index) == ["name"]


def test_groups_of_lengths_part_all_samples():
    g = torch.Generator().manual_seed(0)
    lengths, label = torch.randint(1, 30, (500,), generator=g), torch.arange(500) % 2
    inputs = torch.rand(500, 30, 2, generator=g)
    context, _ = images_with(None)
    context = replace(
        context,
        spec=DataSpec(Kind.SERIES, 2, 2),
        fetch=lambda i: SequenceBatch(i, inputs[i], lengths[i], label[i]),
        index=torch.arange(500),
        label=label,
        failed=lengths > 25,
    )
    found = GroupPatterns().candidates(context, torch.zeros(500))
    told = [c for c in found if c.parameters["group"] == "length"]
    assert torch.stack([c.inside for c in told]).sum(0).unique().tolist() == [1]
    assert len(told) == 4
    assert len(found) == 6


@pytest.fixture
def texts():
    """Texts of 20 words; most that hold word 7 fail."""
    g = torch.Generator().manual_seed(0)
    tokens = torch.randint(2, 20, (1400, 8), generator=g)
    label = torch.arange(1400) % 2
    # Two in a hundred hold it.
    tokens[tokens == 7] = 8
    held = torch.randperm(1400, generator=g)[:60]
    tokens[held, 3] = 7
    chance = torch.full((1400,), 0.03)
    chance[held] = 0.6
    failed = torch.rand(1400, generator=g) < chance
    spec = DataSpec(Kind.TOKENS, 1, 2, token_names=[f"w{i}" for i in range(20)])
    state = torch.randint(5, (1400 * 8,), generator=g).to(torch.uint8)
    traces = Traces(
        *(state, torch.zeros(1400 * 8, dtype=torch.uint8), torch.arange(1401) * 8),
        *(torch.arange(1400), label, 5, 2, tokens.flatten().int()),
    )
    context, _ = images_with(None)
    fit, repair = torch.arange(600), torch.arange(600, 1400)
    return replace(
        context,
        spec=spec,
        fetch=lambda i: SequenceBatch(i, tokens[i], torch.full((len(i),), 8), label[i]),
        originals=fit,
        original_label=label[fit],
        index=repair,
        label=label[repair],
        failed=failed[repair],
        traces=traces.select(repair),
        fit=traces.select(fit),
    ), held


def test_a_word_that_failures_read_is_named_with_its_training_samples(texts):
    context, held = texts
    pattern = find_patterns(context, [WordPatterns(), PathPatterns(), GroupPatterns()])[0]
    assert pattern.told == "reads word 'w7'"
    assert set(pattern.inside.tolist()) == {i for i in held.tolist() if i >= 600}
    assert set(pattern.samples.tolist()) == {i for i in held.tolist() if i < 600}
    again = WordPatterns().again(context, pattern.parameters)
    assert torch.equal(context.index[again], pattern.inside)


def test_candidates_of_words_are_all_words_and_pairs_that_enough_texts_hold(texts):
    context, _ = texts
    batch = context.fetch(context.index)
    lengths = 1 + torch.arange(len(batch)) % 8
    batch = replace(batch, lengths=lengths)
    context = replace(context, fetch=lambda i: batch.rows(torch.searchsorted(batch.index, i)))
    found = WordPatterns().candidates(context, torch.zeros(len(context)))
    holders = {}
    for row, (words, n) in enumerate(zip(batch.inputs.tolist(), lengths.tolist(), strict=True)):
        for parts in (words[:n], list(pairwise(words[:n]))):
            for part in set(parts):
                holders.setdefault(part, set()).add(row)
    expected = {part: rows for part, rows in holders.items() if len(rows) >= 8}
    assert len(expected) > 40
    read = {}
    for candidate in found:
        word, follows = (candidate.parameters.get(name) for name in ("word", "next"))
        key = word if follows is None else (word, follows)
        read[key] = set(candidate.inside.nonzero()[:, 0].tolist())
    assert read == expected


def test_texts_have_no_sweeps_and_no_edit_is_tried(texts):
    assert EditPatterns().candidates(texts[0], difficulty(texts[0])) == []


def test_ways_are_those_of_the_first_half_of_the_steps(texts):
    context, _ = texts
    traces = context.traces
    found = PathPatterns().candidates(context, torch.zeros(len(context)))
    for candidate in found:
        kind, number = candidate.parameters["of"], int(candidate.parameters["number"])
        for row in range(0, len(context), 97):
            steps = traces.state[traces.offsets[row] : traces.offsets[row] + 4].tolist()
            if kind == "state":
                assert bool(candidate.inside[row]) == (number in steps)
            if kind == "transition":
                pair = divmod(number, 5)
                assert bool(candidate.inside[row]) == (pair in pairwise(steps))
                assert pair[0] != pair[1]


@pytest.mark.parametrize("kind", ["image", "series"])
def test_every_sweep_draws_its_parameter_over_its_range(kind):
    spec = DataSpec(kind, 14, 3, max_steps=20)
    for sweep in sweeps_of(spec):
        place = torch.linspace(0, 1, 11)
        edits = sweep.draw(place, torch.Generator().manual_seed(0))
        assert len(edits) == 11
        for name, value in sweep.fixed.items():
            assert edits.parameters[name].unique().tolist() == [value]
        if sweep.parameter is not None:
            values = edits.parameters[sweep.parameter]
            assert values[[0, -1]].tolist() == pytest.approx([sweep.low, sweep.high])
            assert (values.diff() >= 0).all()
            assert f"{sweep.low:.3g}" in sweep.region(0, 1)
