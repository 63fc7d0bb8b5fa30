"""Distances of texts word by word, compared with the definition."""

from functools import cache

import torch

from rnnrepair.sequences import edit_distances


@cache
def by_definition(one, other):
    if not one or not other:
        return len(one) + len(other)
    return min(
        by_definition(one[1:], other) + 1,
        by_definition(one, other[1:]) + 1,
        by_definition(one[1:], other[1:]) + (one[0] != other[0]),
    )


def test_distances_are_those_of_the_definition_whatever_the_padding_holds():
    g = torch.Generator().manual_seed(0)
    text, other = (torch.randint(4, (200, width), generator=g) for width in (7, 9))
    n, n_other = (torch.randint(1, width + 1, (200,), generator=g) for width in (7, 9))
    found = edit_distances(text, n, other, n_other)
    for row in range(200):
        one = tuple(text[row, : n[row]].tolist())
        assert int(found[row]) == by_definition(one, tuple(other[row, : n_other[row]].tolist()))
    assert torch.equal(edit_distances(other, n_other, text, n), found)


def test_equal_texts_are_at_no_distance():
    text, n = torch.arange(12).view(2, 6), torch.tensor([6, 3])
    assert edit_distances(text, n, text.roll(0), n).tolist() == [0, 0]
