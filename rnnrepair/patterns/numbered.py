"""Which samples hold what, where everything that they hold has a number."""

from collections.abc import Iterator

import torch
from torch import Tensor

from rnnrepair.patterns.pattern import LEAST_INSIDE


def rows_by_number(number: Tensor, row: Tensor, n_samples: int) -> Iterator[tuple[int, Tensor]]:
    """Yield each number that enough samples hold, but not all, with the rows of those that do.

    Args:
        number: (n,) int64, of what is held.
        row: (n,) int64, the sample that holds it.
        n_samples: S.
    """
    pairs = torch.stack([number, row]).unique(dim=1)
    numbers, counts = pairs[0].unique_consecutive(return_counts=True)
    for value, rows in zip(numbers.tolist(), pairs[1].split(counts.tolist()), strict=True):
        if LEAST_INSIDE <= len(rows) < n_samples:
            yield value, rows


def is_among(rows: Tensor, n_samples: int) -> Tensor:
    """Return (S,) bool, true in some rows."""
    inside = torch.zeros(n_samples, dtype=torch.bool)
    inside[rows] = True
    return inside
