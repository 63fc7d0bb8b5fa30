"""Rows of nearest samples of which some are left out."""

import torch
from torch import Tensor


def moved_last(gone: Tensor, *parts: Tensor) -> list[Tensor]:
    """Return parts in which what is gone stands behind the others, as -1 or infinite; order kept.

    Args:
        gone: (M, n) bool, places that hold nothing any more.
        parts: (M, n) each, whole numbers or floats.
    """
    order = gone.int().argsort(dim=1, stable=True)
    gone = gone.gather(1, order)
    return [
        part.gather(1, order).masked_fill(gone, torch.inf if part.is_floating_point() else -1)
        for part in parts
    ]
