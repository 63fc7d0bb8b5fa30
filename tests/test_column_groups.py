"""Groups of numbers in the user's own columns."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import torch

from rnnrepair.patterns import GroupPatterns, Pattern, find_patterns, members_of
from rnnrepair.patterns.chance import Chance
from rnnrepair.patterns.columns import groups_of, is_in, members_of_groups
from tests.planted_patterns import images_with


def test_numbers_of_a_column_are_cut_into_quarters():
    context, _ = images_with(None)
    g = torch.Generator().manual_seed(5)
    age = 20 + 60 * torch.rand(5000, generator=g)
    # The column may have any name, that of a group of ours too.
    values = [f"{a:.3f}" for a in age.tolist()]
    old = age[context.index] > 65
    failed = context.failed | (old & (torch.rand(len(old), generator=g) < 0.1))
    context = replace(context, failed=failed, columns={"length": values})
    pattern = find_patterns(context, [GroupPatterns(columns_only=True)])[0]
    assert pattern.told.startswith("length 64.")
    assert pattern.told.endswith(" or more")
    quarter = torch.isin(context.index, pattern.inside)
    assert torch.equal(quarter, age[context.index] >= age[context.index][quarter].min())
    assert int(quarter.sum()) == pytest.approx(len(context) / 4, abs=2)
    assert (age[pattern.samples] > 64).all()
    # A value that is missing is a group of its own; two kinds of words make no numbers.
    for i in context.index[:300].tolist():
        values[i] = "missing"
    told = [c.told for c in GroupPatterns(columns_only=True).candidates(context, torch.zeros(9))]
    assert len(told) == 5
    assert "length missing" in told
    for i in context.index[300:600].tolist():
        values[i] = "broken"
    told = [c.told for c in GroupPatterns(columns_only=True).candidates(context, torch.zeros(9))]
    assert told == ["length broken", "length missing"]
    # A few numbers name kinds.
    context = replace(context, columns={"machine": [str(i % 3) for i in range(5000)]})
    told = [c.told for c in GroupPatterns(columns_only=True).candidates(context, torch.zeros(9))]
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
        *("below 23.46", "23.46 to below 26.928", "26.928 to below 30.39", "30.39 or more")
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
    assert [pattern.told for pattern in found] == ["device c"]


def test_samples_inside_are_compared_with_those_outside_of_their_strata():
    g = torch.Generator().manual_seed(2)
    failed = torch.rand(60, generator=g) < 0.4
    stratum = torch.arange(60) % 4 - 1  # those of -1 do not count
    inside = torch.rand(5, 60, generator=g) < 0.5
    inside[0] |= stratum == 2  # a stratum that lies inside as a whole
    ratio = Chance(failed, stratum, 1, g).ratio(inside)
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
    return [(c.told, c.inside) for c in found if c.parameters.get("group") == "length"]


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
