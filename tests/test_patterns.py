"""Patterns that were planted are found and named; chance is not."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from rnnrepair.edits.sweeps import still, sweeps_of
from rnnrepair.patterns import (
    Candidate,
    EditPatterns,
    GroupPatterns,
    PathPatterns,
    Pattern,
    WordPatterns,
    columns_without_groups,
    find_patterns,
)
from rnnrepair.patterns.chance import Chance
from rnnrepair.patterns.difficulty import NEAREST, OF_A_CLASS, OF_ALL, difficulty, harder_half
from rnnrepair.patterns.excess import PRIOR, Excess
from rnnrepair.patterns.pools import make_pool, near
from rnnrepair.patterns.strata import strata_of
from rnnrepair.sequences import DataSpec, Kind, SequenceBatch
from tests.planted_patterns import (
    agreement,
    images_with,
    series_with,
    texts_with_a_word,
)

FINDERS = [EditPatterns(), GroupPatterns()]


@pytest.mark.parametrize(
    ("edit", "sweep", "region"),
    [
        ({"angle": (50.0, 80.0)}, "rotation", (50, 80)),
        ({"shear": (25.0, 40.0)}, "shear", (25, 40)),
        ({"inverted": 1.0}, "inverted", None),
        ({"mirrored": 1.0}, "mirrored", None),
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
        ({"reversed": 1.0}, "reversed"),
        ({"drift": 2.5, "spared_drift_0": 3.0}, "drift_2-2"),
        ({"offset": -1.2, "spared_offset_0": 6.0}, "offset_0-0"),
        ({"shift": 4.0, "spared_shift_0": 5.0}, "lag_1-1"),
        ({"swapped": 0.0, "swapped_with": 1.0}, "swapped_0-1"),
        ({"magnitude": -1.0}, "sign_0-2"),
        ({"magnitude": 0.3}, "magnitude_0-2"),
        ({"magnitude": 0.0, "spared_magnitude_0": 4.0}, "dead_0-1"),
    ],
)
def test_a_planted_edit_of_series_is_named(edit, sweep):
    context, planted = series_with(edit)
    pattern = find_patterns(context, FINDERS)[0]
    assert pattern.parameters["edit"] == sweep
    assert min(agreement(pattern, planted, context)) > 0.6


def test_the_commonest_words_are_looked_at(monkeypatch):
    context, _ = texts_with_a_word()
    every = WordPatterns().candidates(context, torch.zeros(len(context)))
    monkeypatch.setattr("rnnrepair.patterns.word_patterns.MOST", 10)
    few = WordPatterns().candidates(context, torch.zeros(len(context)))
    sizes = sorted((int(c.inside.sum()) for c in every), reverse=True)
    assert [int(c.inside.sum()) for c in few] == sizes[:10]


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


def test_images_of_unlike_heights_are_compared_row_by_row():
    context, planted = images_with({"inverted": 1.0})
    lengths = torch.where(torch.arange(5000) % 7 == 0, 28, 26)
    lengths[context.index] = 26  # the tallest is a training sample

    def fetch(index):
        batch, own = context.fetch(index), lengths[index]
        inputs = batch.inputs.masked_fill((torch.arange(28) >= own[:, None])[..., None], 0)
        return replace(batch, inputs=inputs[:, : int(own.max())], lengths=own)

    cut = replace(context, fetch=fetch)
    assert cut.vectors.shape == (len(cut), 28 * 28)
    rows = cut.vectors.view(-1, 28, 28)
    assert torch.equal(rows[:, :26], context.batch.inputs[:, :26])
    assert (rows[:, 26:] == 0).all()
    (pattern,) = find_patterns(cut, [EditPatterns()])
    assert pattern.parameters["edit"] == "inverted"
    assert min(agreement(pattern, planted, cut)) > 0.6


def test_a_sample_is_never_near_to_itself():
    context, _ = images_with(None)
    own = replace(context, index=context.originals, label=context.original_label)
    own = replace(own.select(torch.arange(50)), failed=torch.zeros(50, dtype=torch.bool))
    own = replace(own, originals=own.index, original_label=own.label)
    found = near(own, still(context.spec), 2, 30, 3)
    assert not (found.parent == own.index[:, None, None]).any()


def test_difficulty_is_the_ratio_of_least_mean_distances_with_edits_for_the_harder_half():
    context, _ = images_with(None)
    context = context.select(torch.arange(30))
    found = difficulty(context)
    size = max(OF_A_CLASS, OF_ALL // 10)
    plain = [still(context.spec)]

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
    assert stratum.bincount().tolist() == [40, 40, 80, 160, 180, 500]
    for harder in range(5):
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
        assert float(chance.of(inside)[number]) == pytest.approx(z, abs=1e-4)
    largest = [float(Excess(flags > 0, stratum).of(inside).max()) for flags in chance.shuffled.T]
    by_chance = chance.largest_by_chance(inside, torch.ones(7))
    assert by_chance.tolist() == pytest.approx(largest, abs=1e-4)
    weight = torch.tensor([0.1, 0.9, 0.5, 1.0, 0.3, 0.7, 0.2])
    weighted = [
        float((Excess(flags > 0, stratum).of(inside) * weight).max()) for flags in chance.shuffled.T
    ]
    by_chance = chance.largest_by_chance(inside, weight)
    assert by_chance.tolist() == pytest.approx(weighted, abs=1e-4)


def test_a_group_of_the_users_own_columns_is_named():
    context, _ = images_with(None)
    speaker = ["ann", "bob", "cyd", "dee"]
    values = [speaker[i % 4] for i in range(5000)]
    g = torch.Generator().manual_seed(5)
    own = context.index % 4 == 2
    failed = context.failed | (own & (torch.rand(len(own), generator=g) < 0.1))
    context = replace(context, failed=failed, columns={"speaker": values})
    pattern = find_patterns(context, FINDERS)[0]
    assert (pattern.kind, pattern.description) == ("group", "speaker cyd")
    assert torch.equal(pattern.inside, context.index[own])
    # All of them, or files that are sorted by class would have one class taught.
    originals = context.originals
    assert torch.equal(pattern.samples, originals[originals % 4 == 2])
    # Names of which each sample has its own tell nothing, and that is said.
    context = replace(context, columns={"speaker": values, "name": [f"n{i}" for i in range(5000)]})
    only = GroupPatterns(columns_only=True).candidates(context, torch.zeros(len(context)))
    assert [c.description for c in only] == [f"speaker {name}" for name in speaker]
    assert columns_without_groups(context.columns, context.index) == ["name"]


def test_a_group_that_has_an_edit_says_so():
    """Who names a column learns which device fails, and what is wrong with what it records."""
    context, planted = series_with({"swapped": 0.0, "swapped_with": 1.0})
    has, elsewhere = torch.isin(torch.arange(5000), planted), torch.arange(5000) % 9 == 0
    columns = {"device": ["d7" if h else f"d{i % 6}" for i, h in enumerate(has.tolist())]}
    pattern = find_patterns(replace(context, columns=columns), FINDERS)[0]
    assert pattern.description == "device d7"
    (also,) = pattern.also
    alone = find_patterns(context, FINDERS)[0]
    assert (also.kind, also.description, also.parameters) == (
        "edit",
        alone.description,
        alone.parameters,
    )
    assert also.description in pattern.name
    # What is taught is the edit: it can be made of every training sample.
    assert pattern.taught == also
    assert alone.taught.description == alone.description
    assert Pattern.of_plain(pattern.plain()).also == (also,)
    # Another thing that other failures have in common is another pattern.
    failed = context.failed | (elsewhere[context.index] & ~has[context.index])
    columns = {"device": ["d8" if e else "d0" for e in elsewhere.tolist()]}
    apart = find_patterns(replace(context, failed=failed, columns=columns), FINDERS)
    assert apart[0].description == "device d8"
    assert also.description not in [trait.description for trait in apart[0].also]
    assert apart[0].taught.kind == "group"


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
    # Training samples may be longer or shorter than any that was searched.
    longest = replace(context, index=torch.arange(500)[lengths < 26])
    longest = replace(longest, label=label[longest.index], failed=context.failed[longest.index])
    (last,) = [
        c
        for c in GroupPatterns().candidates(longest, torch.zeros(500))
        if "longer" in c.description
    ]
    trained_on = GroupPatterns().refined(
        replace(longest, originals=torch.arange(500)), last, torch.zeros(500)
    )
    assert set((lengths > 25).nonzero()[:, 0].tolist()) <= set(trained_on.samples.tolist())
    assert trained_on.alike == last.alike


def test_a_word_that_failures_read_is_named_with_its_training_samples():
    context, held = texts_with_a_word()
    pattern = find_patterns(context, [WordPatterns(), PathPatterns(), GroupPatterns()])[0]
    assert pattern.description == "reads word 'w7'"
    assert set(pattern.inside.tolist()) == {i for i in held.tolist() if i >= 600}
    assert set(pattern.samples.tolist()) == {i for i in held.tolist() if i < 600}
    again = WordPatterns().again(context, pattern.parameters)
    assert torch.equal(context.index[again], pattern.inside)


def test_candidates_of_words_are_all_words_and_pairs_that_enough_texts_hold():
    context, _ = texts_with_a_word()
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


def test_texts_have_no_sweeps_and_no_edit_is_tried():
    context, _ = texts_with_a_word()
    assert EditPatterns().candidates(context, difficulty(context)) == []


def test_ways_are_those_of_the_first_half_of_the_steps():
    context, _ = texts_with_a_word()
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


def test_what_is_odd_is_not_explained_by_the_loss_of_what_makes_it_odd():
    """A recording of small readings, or of none, is nearer to any odd one than others are."""
    context, _ = series_with({"noise": 1.5})
    told = [p.taught.description for p in find_patterns(context, FINDERS)]
    assert not [one for one in told if "dead" in one or "times" in one or "lost" in one]


def test_a_region_that_leaves_samples_as_they_are_is_no_candidate():
    context, _ = images_with(None)
    every = EditPatterns().candidates(context, difficulty(context))
    turned = [c.parameters for c in every if c.parameters["edit"] == "rotation"]
    assert turned
    # Of twelfths of -90 .. 90: those that begin or end at 0 are looked at.
    assert not [p for p in turned if p["low"] < 0 < p["high"]]
    assert [p for p in turned if p["low"] == 0]
    assert [p for p in turned if p["high"] == 0]


def test_edits_are_out_of_reach_for_samples_farther_away_than_edited_ones_from_each_other():
    context, planted = images_with({"inverted": 1})
    (sweep,) = (s for s in sweeps_of(context.spec) if s.name == "inverted")
    found = near(context, sweep, 12, 8, 5)
    reached = found.is_reached(2, 6)
    for label in context.label.unique().tolist():
        pool = make_pool(context, sweep, label, 96)
        own = slice(16, 48)
        apart = torch.cdist(pool.vectors[own], pool.vectors[own])
        apart = apart.masked_fill(pool.parent[own, None] == pool.parent[own], torch.inf)
        usual = apart.topk(5, 1, largest=False).values.mean(1).quantile(0.95)
        rows = context.label == label
        mean = torch.cdist(context.vectors[rows], pool.vectors[own])
        mean = mean.topk(5, 1, largest=False).values.mean(1)
        assert torch.equal(reached[rows], mean <= 1.1 * usual)
    has = torch.isin(context.index, planted)
    assert reached[has].double().mean() > 0.8
    assert not reached[~has].any()


def test_what_is_found_twice_is_one_pattern_with_all_its_failures():
    def found(members, inside, *others):
        indices = torch.tensor(members), torch.tensor(inside)
        return Pattern("edit", "inverted", *indices, *others, {"edit": "inverted"}, indices[1])

    first = found([3, 9], [3, 5, 9, 12], 0.5, 0.2, 0.002)
    first = replace(first, within="within it class 3: 2 of 2")
    more = found([1], [1, 7], 0.5, 0.1, 0.006)
    joined = first.joined(more)
    assert joined.members.tolist() == [1, 3, 9]
    assert joined.inside.tolist() == [1, 3, 5, 7, 9, 12]
    assert joined.error_inside == 0.5
    assert joined.error_outside == 0.1
    assert joined.p == 0.002
    assert joined.within == ""
    assert joined.samples.tolist() == first.samples.tolist()


class InTwoParts:
    """Finds what planted samples share, first of one half of them, then of the other."""

    name = "word"

    def __init__(self, *parts):
        self.parts = parts

    def candidates(self, context, difficulty):
        has = [torch.isin(context.index, part) for part in self.parts]
        return [Candidate(self.name, "reads it", part, {"part": i}) for i, part in enumerate(has)]

    def refined(self, context, candidate, stratum):
        return candidate

    def again(self, context, parameters):
        return torch.isin(context.index, self.parts[parameters["part"]])


def test_no_description_is_named_twice():
    context, planted = images_with({"inverted": 1.0})
    failing = context.index[context.failed & torch.isin(context.index, planted)]
    (pattern,) = find_patterns(context, [InTwoParts(failing[::2], failing[1::2])])
    assert pattern.members.tolist() == sorted(failing.tolist())
    assert pattern.error_inside == 1.0
