"""Groups of numbers in the user's own columns."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import torch
from scipy.stats import binom

from rnnrepair.patterns import GroupPatterns, Pattern, find_patterns, members_of
from rnnrepair.patterns.columns import groups_of, is_in, members_of_groups, sharper_group
from rnnrepair.patterns.excess import Excess
from rnnrepair.patterns.pattern import Alike, Candidate
from rnnrepair.patterns.sharpened import sharpened
from tests.planted_patterns import images_with


def test_numbers_of_a_column_are_cut_into_quarters():
    context, _ = images_with(None)
    g = torch.Generator().manual_seed(5)
    age = 20 + 60 * torch.rand(5000, generator=g)
    # The column may have any name, that of a group of ours too.
    values = [f"{a:.3f}" for a in age.tolist()]
    old = age[context.index] > 65
    failed = context.failed | (old & (torch.rand(len(old), generator=g) < 0.4))
    context = replace(context, failed=failed, columns={"length": values})
    pattern = find_patterns(context, [GroupPatterns(columns_only=True)])[0]
    # The quarter begins at 64.8; it is told from where on samples fail.
    assert pattern.description == "length 65 or more"
    assert torch.equal(torch.isin(context.index, pattern.inside), old)
    assert bool((age[pattern.samples] > 65).all())
    again = GroupPatterns(columns_only=True).again(context, pattern.parameters)
    assert torch.equal(again, old)
    # A value that is missing is a group of its own; two kinds of words make no numbers.
    for i in context.index[:300].tolist():
        values[i] = "missing"
    told = [
        c.description for c in GroupPatterns(columns_only=True).candidates(context, torch.zeros(9))
    ]
    assert len(told) == 5
    assert "length missing" in told
    for i in context.index[300:600].tolist():
        values[i] = "broken"
    told = [
        c.description for c in GroupPatterns(columns_only=True).candidates(context, torch.zeros(9))
    ]
    assert told == ["length broken", "length missing"]
    # A few numbers name kinds.
    context = replace(context, columns={"machine": [str(i % 3) for i in range(5000)]})
    told = [
        c.description for c in GroupPatterns(columns_only=True).candidates(context, torch.zeros(9))
    ]
    assert told == ["machine 0", "machine 1", "machine 2"]


def test_a_few_slips_leave_a_column_one_of_numbers():
    values = [f"{n}.5" for n in range(200)]
    for i, slip in enumerate(["-", "?", "inf", "unknown", "n/a"] + ["missing"] * 12):
        values[11 * i] = slip
    told = [told for told, _ in groups_of(values, torch.arange(200))]
    assert told[0] == "missing"
    assert len(told) == 5
    assert all(" below " in t or t.startswith("below ") or "or more" in t for t in told[1:])
    # A fifth of them are words: names of kinds, some of which are numbers.
    for i in range(23):
        values[8 * i + 1] = f"model {i % 2}"
    assert [told for told, _ in groups_of(values, torch.arange(200))] == [
        *("missing", "model 0", "model 1")
    ]


def test_quarters_part_all_samples_and_those_of_other_splits():
    seconds = [f"{1_700_000_000 + i}" for i in range(1000)] + ["1", "1800000000", "inf", "12.5.3"]
    seen, every = torch.arange(1000), torch.arange(1003)
    groups = groups_of(seconds, seen)
    assert len({told for told, _ in groups}) == len(groups) == 4
    inside = torch.stack([is_in(seconds, every, group) for _, group in groups])
    # What is beyond the samples that were seen belongs to the first or the last quarter.
    assert inside.sum(0).tolist() == [1] * 1002 + [0]
    assert inside[0, 1000]
    assert inside[-1, 1001]
    json.dumps([group for _, group in groups], allow_nan=False)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+02:00"])
def test_dates_are_cut_into_quarters_as_they_are_written(form):
    first = datetime(2023, 11, 20, tzinfo=UTC)
    days = [(first + timedelta(days=i)).strftime(form) for i in range(400)]
    order = torch.randperm(400, generator=torch.Generator().manual_seed(0)).tolist()
    values = [days[i] for i in order] + ["1999-12-31", "2030-01-01T00:00:00Z", "soon"]
    groups = groups_of(values, torch.arange(400))
    told = [told for told, _ in groups]
    assert told[0] == f"before {days[100]}"
    assert told[1] == f"{days[100]} to before {days[200]}"
    assert told[-1] == f"{days[300]} or later"
    inside = torch.stack([is_in(values, torch.arange(403), group) for _, group in groups])
    assert inside.sum(0).tolist() == [1] * 402 + [0]
    assert inside[:, :400].sum(1).tolist() == [100] * 4
    assert inside[0, 400]
    assert inside[-1, 401]
    json.dumps([group for _, group in groups], allow_nan=False)


def test_ends_of_quarters_have_as_few_digits_as_part_the_samples():
    values = [f"{20 + i * 0.0173205:.8f}" for i in range(801)]
    assert [told for told, _ in groups_of(values, torch.arange(801))] == [
        *("below 23.46", "23.46 to below 26.92", "26.92 to below 30.39", "30.39 or more")
    ]


def test_what_fails_hardly_more_than_samples_alike_is_not_named():
    context, _ = images_with(None)
    g = torch.Generator().manual_seed(1)
    # The class of half of the samples fails four times as often, whatever the device.
    hard = context.label < 5
    rate = torch.where(hard, 0.4, 0.1)
    device = torch.where(torch.rand(len(hard), generator=g) < torch.where(hard, 0.9, 0.1), 1, 0)
    failed = torch.rand(len(hard), generator=g) < rate
    values = ["-"] * 5000
    for i, d in zip(context.index.tolist(), device.tolist(), strict=True):
        values[i] = "ab"[d]
    finders = [GroupPatterns(columns_only=True)]
    assert find_patterns(replace(context, failed=failed, columns={"device": values}), finders) == []
    # A device of the easy class alone is named, though the hard class fails more than it does.
    own = ~hard & (torch.rand(len(hard), generator=g) < 0.1)
    rate = torch.where(own, 0.3, torch.where(hard, 0.4, 0.02))
    failed = torch.rand(len(hard), generator=g) < rate
    for i in context.index[own].tolist():
        values[i] = "c"
    found = find_patterns(replace(context, failed=failed, columns={"device": values}), finders)
    assert [pattern.description for pattern in found] == ["device c"]


def test_samples_inside_are_compared_with_those_outside_of_their_strata():
    g = torch.Generator().manual_seed(2)
    failed = torch.rand(60, generator=g) < 0.4
    stratum = torch.arange(60) % 4 - 1  # those of -1 do not count
    inside = torch.rand(5, 60, generator=g) < 0.5
    inside[0] |= stratum == 2  # a stratum that lies inside as a whole
    ratio = Excess(failed, stratum).ratio(inside)
    for own, found in zip(inside, ratio.tolist(), strict=True):
        k = expected = 0.0
        for part in range(3):
            here = (stratum == part) & own
            others = (stratum == part) & ~own
            k += int(failed[here].sum())
            compared = others if others.any() else here
            expected += int(here.sum()) * float(failed[compared].double().mean())
        assert found == pytest.approx(k / expected, rel=1e-5)


@pytest.mark.parametrize(
    ("lengths", "told"),
    [
        # The longest are as long as texts are cut to; most are the longest; most the shortest.
        ([10] * 300 + [20] * 300 + [30] * 300 + [50] * 400, "50 steps or longer"),
        ([20] * 300 + [50] * 700, "50 steps or longer"),
        ([20] * 900 + [50] * 100, "50 steps or longer"),
    ],
)
def test_the_longest_are_a_group_whatever_their_share(lengths, told):
    groups = lengths_of(torch.tensor(lengths))
    assert told in [each for each, _ in groups]
    inside = torch.stack([inside for _, inside in groups])
    assert (inside.sum(0) == 1).all()
    (longest,) = (inside for each, inside in groups if each == told)
    assert torch.equal(longest, torch.tensor(lengths) == 50)


def lengths_of(lengths):
    context, _ = images_with(None)
    one = torch.zeros(len(lengths), dtype=torch.int64)
    batch = replace(context.fetch(one), lengths=lengths)
    one_class = replace(context, index=one, label=one, failed=one.bool())
    context = replace(one_class, fetch=lambda index: batch)
    found = GroupPatterns().candidates(context, torch.zeros(len(lengths)))
    return [(c.description, c.inside) for c in found if c.parameters.get("group") == "length"]


def test_ends_that_differ_in_the_last_of_many_digits_have_names_of_their_own():
    values = [f"{1_700_000_000_000 + i}" for i in range(200)]
    told = [told for told, _ in groups_of(values, torch.arange(200))]
    assert len(set(told)) == 4
    huge = ["1.6e308", "-1.6e308"] * 100 + [str(i) for i in range(40)]
    json.dumps([group for _, group in groups_of(huge, torch.arange(240))], allow_nan=False)


def test_one_reading_of_a_column_says_of_all_its_groups_who_belongs_to_them():
    values = ["a", "1.5", "b", "1.50", "2", "a", "nan"]
    groups = [{"value": "a"}, {"low": 1.5, "high": 2.0}, {"low": 2.0}, {"value": "c"}]
    found = members_of_groups(values, torch.arange(7), groups)
    rows = [inside.nonzero()[:, 0].tolist() for inside in found]
    assert rows == [[0, 5], [1, 3], [4], []]


def test_who_has_several_patterns_is_counted_with_the_first():
    context, _ = images_with(None)
    every = [str(i % 2) for i in range(5000)]
    context = replace(context, columns={"site": ["x"] * 5000, "device": every})
    here = context.index % 2 == 0
    first, second = (
        Pattern(
            *("group", told, context.index, context.index, 0.5, 0.1, 0.01),
            *({"column": column, "value": value}, context.index),
        )
        for told, column, value in (("device 0", "device", "0"), ("site x", "site", "x"))
    )
    found = members_of(context, [first, second], [GroupPatterns()])
    assert torch.equal(found[0], here)
    assert torch.equal(found[1], ~here)


def brute_cut(number, failed, *, above):
    """The likeliest of all cuts with eight samples on both sides and more failures inside."""
    best, at = -np.inf, None
    for cut in np.unique(number)[1:]:
        inside = number >= cut if above else number < cut
        parts = [failed[inside], failed[~inside]]
        if min(map(len, parts)) < 8 or parts[0].mean() <= parts[1].mean():
            continue
        likely = sum(binom.logpmf(p.sum(), len(p), p.mean()) for p in parts)
        # Without the coefficients: they differ from cut to cut, and say nothing of the rates.
        likely -= sum(binom.logpmf(p.sum(), len(p), 0.5) - len(p) * np.log(0.5) for p in parts)
        if likely > best:
            best, at = likely, cut
    return at


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_failures_part_best_at_the_likeliest_cut(seed, above):
    g = np.random.default_rng(seed)
    number = g.integers(0, 60, 400).astype(float)
    rate = np.where((number >= 47) == above, 0.5, 0.05)
    failed = g.random(400) < rate
    cut = float(np.quantile(number, 0.75 if above else 0.25))
    one = torch.zeros(400).long()
    found = sharpened(torch.tensor(number), torch.tensor(failed), one, cut, above=above)
    assert found == brute_cut(number, failed, above=above)
    assert abs(found - 47) <= 2
    # Samples without a number have no say, whatever becomes of them.
    more = torch.cat([torch.tensor(number), torch.full((50,), torch.nan, dtype=torch.float64)])
    flags = torch.cat([torch.tensor(failed), torch.ones(50, dtype=torch.bool)])
    assert sharpened(more, flags, torch.zeros(450).long(), cut, above=above) == found
    # A cut that is as good as any stays.
    assert sharpened(torch.tensor(number), torch.tensor(failed), one, found, above=above) == found


def test_a_true_end_is_seldom_moved_however_many_are_tried():
    """A fifth fails in the last quarter, a twentieth elsewhere."""
    g = np.random.default_rng(0)
    moved = 0
    for _ in range(200):
        number = torch.tensor(g.random(1000))
        cut = float(number.quantile(0.75))
        failed = torch.tensor(g.random(1000)) < torch.where(number >= cut, 0.2, 0.05)
        moved += sharpened(number, failed, torch.zeros(1000).long(), cut, above=True) != cut
    assert moved <= 10


def test_a_class_that_fails_more_moves_no_end():
    """Old samples are mostly of a hard class; within it, and within the other, those from 82 on."""
    g = np.random.default_rng(1)
    hard = torch.tensor(g.random(4000) < 0.5)
    age = torch.where(hard, 50.0, 0.0) + torch.tensor(g.random(4000)) * torch.where(hard, 50, 100)
    rate = torch.where(hard, 0.16, 0.02) * torch.where(age >= 82, 2, 1)
    failed = torch.tensor(g.random(4000)) < rate
    found = sharpened(age, failed, hard.long(), float(age.quantile(0.75)), above=True)
    assert found > 75
    assert sharpened(age, failed, hard.long() * 0, float(age.quantile(0.75)), above=True) < 60


def test_the_end_of_a_quarter_is_told_as_the_column_is_written():
    days = [f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(280)]
    index, failed = torch.arange(280), torch.arange(280) >= 260
    (_, last) = groups_of(days, index)[-1]
    assert last == {"low": days[210]}
    told, group = sharper_group(days, index, failed, index * 0, last)
    assert (told, group) == (f"{days[260]} or later", {"low": days[260]})
    assert torch.equal(is_in(days, index, group), failed)
    numbers = [f"{i / 7:.6f}" for i in range(280)]
    (_, first) = groups_of(numbers, index)[0]
    told, group = sharper_group(numbers, index, torch.arange(280) < 20, index * 0, first)
    assert (told, group) == ("below 2.8", {"high": 2.8})


def test_where_samples_stand_in_groups_the_quarter_stays():
    context, _ = images_with(None)
    g = torch.Generator().manual_seed(5)
    age = 20 + 60 * torch.rand(5000, generator=g)
    old = age[context.index] > 72
    failed = old & (torch.rand(len(old), generator=g) < 0.6)
    columns = {"age": [f"{a:.3f}" for a in age.tolist()]}
    context = replace(context, failed=failed, columns=columns)
    finder, stratum = GroupPatterns(columns_only=True), torch.zeros(len(context)).long()
    last = finder.candidates(context, stratum)[-1]
    moved = finder.refined(context, last, stratum)
    # Up to the first of them that fails.
    assert moved.description.startswith("age 72.")
    assert bool((moved.inside <= old).all())
    paired = replace(context, groups=torch.arange(5000) // 2)
    stays = finder.refined(paired, last, stratum)
    assert (stays.description, stays.parameters) == (last.description, last.parameters)
    assert torch.equal(stays.inside, last.inside)


def test_what_was_taken_out_unnamed_counts_among_the_others():
    """A first candidate passes, is not named, and is taken out with most failures."""
    context, _ = images_with(None)
    context = context.select(torch.arange(600))
    failed = torch.arange(600) < 100
    worst, other = torch.arange(600) < 90, (torch.arange(600) >= 85) & (torch.arange(600) < 250)

    class Finder:
        name = "group"

        def candidates(self, context, difficulty):
            return [
                Candidate("group", told, inside, alike=Alike.DIFFICULTY)
                for told, inside in (("worst", worst), ("other", other))
            ]

        def refined(self, context, candidate, stratum):
            lost = candidate.description == "worst"
            return replace(candidate, inside=candidate.inside & False) if lost else candidate

    found = find_patterns(replace(context, failed=failed), [Finder()])
    # Of those that were left, all failures are its own; of all others a fifth fails.
    assert found == []
    few = failed & (torch.arange(600) >= 70)
    (named,) = find_patterns(replace(context, failed=few), [Finder()])
    assert named.description == "other"
    inside = torch.isin(context.index, named.inside)
    assert named.error_inside == float(few[inside].double().mean())
    assert named.error_outside == float(few[~inside].double().mean())
