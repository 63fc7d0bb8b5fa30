"""How many tokens have to be put in, taken out or replaced to make one text of another."""

import torch
from torch import Tensor

# Steps after which pairs that are too far apart already are dropped.
STEPS = 16


def nearly_equal(
    text: Tensor, n: Tensor, other: Tensor, n_other: Tensor, at_most: Tensor
) -> Tensor:
    """Return (P,) bool: which pairs of texts have a Levenshtein distance of so many, or less.

    All pairs at once, one row of the table a step: O(T) operations on (P, U) tokens, and fewer as
    pairs are found to be too far apart.

    Args:
        text: (P, T) int64 tokens.
        n: (P,) int64 how many of them are real.
        other: (P, U) int64, what each is compared with.
        n_other: (P,) int64.
        at_most: (P,) int64.

    Source: Levenshtein 1966; the table row by row, Wagner and Fischer 1974.
    """
    place = torch.arange(other.shape[1] + 1)
    row = place.expand(len(text), -1)
    near = torch.zeros(len(text), dtype=torch.bool)
    open_ = torch.arange(len(text))
    for step in range(text.shape[1] + 1):
        ends_here = n[open_] == step
        ended, at_end = open_[ends_here], row[ends_here]
        distance = at_end.gather(1, n_other[ended, None])[:, 0]
        near[ended] = distance <= at_most[ended]
        if step % STEPS == 0:
            # No later row has a smaller number than the least of this one.
            kept = (n[open_] > step) & (row.amin(1) <= at_most[open_])
            kept &= (n[open_] - n_other[open_]).abs() <= at_most[open_]
            open_, row = open_[kept], row[kept]
        if step == text.shape[1] or len(open_) == 0:
            break
        replaced = row[:, :-1] + (text[open_, step, None] != other[open_]).long()
        without = row + 1
        best = torch.cat([without[:, :1], torch.minimum(without[:, 1:], replaced)], 1)
        # Putting tokens in costs one each: the least of all places before, and the way from there.
        row = (best - place).cummin(1).values + place
    return near
