"""Which value narrows a pattern: two causes at once."""

from dataclasses import replace

import pytest
import torch
from scipy.stats import fisher_exact

from rnnrepair.patterns import GroupPatterns, Pattern, find_patterns
from rnnrepair.patterns.pattern import Candidate
from rnnrepair.patterns.within import told_within
from tests.planted_patterns import images_with

FINDERS = [GroupPatterns(columns_only=True)]


def failing_where(both, *, seed=0, groups=None):
    """Samples with a device and a firmware, of which one pair, or one device, fails."""
    context, _ = images_with(None)
    g = torch.Generator().manual_seed(seed)
    device, firmware = (torch.randint(0, n, (5000,), generator=g) for n in (2, 3))
    own = (device == 1) & (firmware == 2) if both else device == 1
    rate = torch.where(own[context.index], 0.5, 0.002)
    failed = torch.rand(len(context), generator=g) < rate
    columns = {
        "device": [f"D{d}" for d in device.tolist()],
        "firmware": [f"F{f}" for f in firmware.tolist()],
    }
    return replace(context, failed=failed, columns=columns, groups=groups)


def test_the_second_of_two_causes_is_told_within_the_first():
    (found,) = find_patterns(failing_where(both=True), FINDERS)
    first, second = ("device D1", "firmware F2")
    if found.description == second:
        first, second = second, first
    assert found.description == first
    assert found.within.startswith(f"within it {second}: ")
    assert found.within in found.name
    assert Pattern.of_plain(found.plain()).within == found.within
    # What checkpoints of earlier versions do not have is empty.
    old = found.plain()
    old.pop("within")
    assert Pattern.of_plain(old).within == ""


@pytest.mark.parametrize("seed", range(5))
def test_one_cause_alone_has_nothing_within(seed):
    (found,) = find_patterns(failing_where(both=False, seed=seed), FINDERS)
    assert found.description == "device D1"
    assert found.within == ""


def test_one_sample_of_each_group_counts():
    context = failing_where(both=True)
    pattern = Candidate("group", "all", torch.ones(len(context), dtype=torch.bool))
    groups = GroupPatterns(columns_only=True).candidates(context, torch.zeros(len(context)))
    alone = told_within(pattern, groups, context)
    assert alone.startswith("within it ")
    # A copy or two change nothing.
    number = torch.arange(5000)
    number[context.index[1]] = number[context.index[0]]
    assert told_within(pattern, groups, replace(context, groups=number)) == alone
    # Of four recordings nothing can be told.
    assert told_within(pattern, groups, replace(context, groups=torch.arange(5000) % 4)) == ""


def test_the_least_likely_by_chance_is_told_where_all_are_nearly_impossible():
    context, _ = images_with(None)
    context = context.select(torch.arange(2000) % len(context))
    failed = torch.arange(2000) < 700
    whole = torch.ones(2000, dtype=torch.bool)
    weak = torch.arange(2000) < 1100
    groups = [Candidate("group", "weak", weak), Candidate("group", "own", failed.clone())]
    context = replace(context, failed=failed, index=torch.arange(2000))
    told = told_within(Candidate("group", "all", whole), groups, context)
    assert told.startswith("within it own: 700 of the 700 failures, error 100%, 0.0%")


@pytest.mark.parametrize(("value", "told"), [(9, True), (8, True), (7, False)])
def test_the_test_is_that_of_fisher_times_what_is_tried(value, told):
    """Of 60 samples ten fail, of which some have the value that twenty have."""
    context, _ = images_with(None)
    context = context.select(torch.arange(60))
    failed, has = torch.arange(60) < 10, torch.zeros(60, dtype=torch.bool)
    has[:value] = True
    has[10 : 30 - value] = True
    context = replace(context, failed=failed)
    pattern = Candidate("group", "all", torch.ones(60, dtype=torch.bool))
    other = torch.arange(60) % 2 == 0
    groups = [Candidate("group", "own", has), Candidate("group", "other", other)]
    table = [[value, 20 - value], [10 - value, 30 + value]]
    p = 2 * fisher_exact(table, alternative="greater").pvalue
    assert bool(p < 0.01 and value >= 8) is told
    found = told_within(pattern, groups, context)
    expected = f"within it own: {value} of the 10 failures, error {value / 20:.0%}"
    assert found.startswith(expected) is told
    assert bool(found) is told
