"""Distances of texts word by word, compared with the definition."""

from functools import cache

import pytest
import torch

from rnnrepair.sequences import nearly_equal


@cache
def by_definition(one, other):
    if not one or not other:
        return len(one) + len(other)
    return min(
        by_definition(one[1:], other) + 1,
        by_definition(one, other[1:]) + 1,
        by_definition(one[1:], other[1:]) + (one[0] != other[0]),
    )


@pytest.mark.parametrize("steps", [1, 3, 16])
def test_near_are_those_of_the_definition_whatever_the_padding_holds(steps, monkeypatch):
    monkeypatch.setattr("rnnrepair.sequences.edit_distance.STEPS", steps)
    g = torch.Generator().manual_seed(0)
    text, other = (torch.randint(3, (300, width), generator=g) for width in (7, 9))
    n, n_other = (torch.randint(1, width + 1, (300,), generator=g) for width in (7, 9))
    at_most = torch.randint(5, (300,), generator=g)
    found = nearly_equal(text, n, other, n_other, at_most)
    for row in range(300):
        one = tuple(text[row, : n[row]].tolist())
        distance = by_definition(one, tuple(other[row, : n_other[row]].tolist()))
        assert bool(found[row]) == (distance <= int(at_most[row]))
    assert 50 < int(found.sum()) < 250
    assert torch.equal(nearly_equal(other, n_other, text, n, at_most), found)


def test_equal_texts_are_at_no_distance_and_no_texts_give_nothing():
    text, n = torch.arange(12).view(2, 6), torch.tensor([6, 3])
    assert nearly_equal(text, n, text, n, torch.zeros(2).long()).tolist() == [True, True]
    assert nearly_equal(text[:0], n[:0], text[:0], n[:0], n[:0]).tolist() == []
