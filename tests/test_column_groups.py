"""Groups of numbers in the user's own columns."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.patterns import GroupPatterns, find_patterns
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
