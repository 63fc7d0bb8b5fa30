"""How many tokens have to be put in, taken out or replaced to make one text of another."""

import torch
from torch import Tensor


def edit_distances(text: Tensor, n: Tensor, other: Tensor, n_other: Tensor) -> Tensor:
    """Return the (P,) int64 Levenshtein distances of P pairs of texts.

    All pairs at once, one row of the table a step: O(T) operations on (P, U) tokens.

    Args:
        text: (P, T) int64 tokens.
        n: (P,) int64 how many of them are real.
        other: (P, U) int64, what each is compared with.
        n_other: (P,) int64.

    Source: Levenshtein 1966; the table row by row, Wagner and Fischer 1974.
    """
    place = torch.arange(other.shape[1] + 1)
    row = place.expand(len(text), -1)
    found = row.gather(1, n_other[:, None])[:, 0]
    for step in range(text.shape[1]):
        replaced = row[:, :-1] + (text[:, step, None] != other).long()
        without = row + 1
        best = torch.cat([without[:, :1], torch.minimum(without[:, 1:], replaced)], 1)
        # Putting tokens in costs one each: the least of all places before, and the way from there.
        row = (best - place).cummin(1).values + place
        ends_here = n == step + 1
        found = torch.where(ends_here, row.gather(1, n_other[:, None])[:, 0], found)
    return found
