"""Edits of one kind whose size lies between two ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class EditRegion:
    """A part of a sweep (``rnnrepair.edits.sweep``), as plain values: checkpoints hold it.

    Attributes:
        sweep: name of the kind of edit.
        low: where it begins, from 0 (the least size of the sweep) to 1 (the largest).
        high: where it ends.
    """

    sweep: str
    low: float
    high: float


# In the place of a region: a copy of an original, which augmentation edits as it does originals.
COPY = -2


def joined_regions(
    parts: Sequence[tuple[Tensor, Sequence[EditRegion]]],
) -> tuple[Tensor, tuple[EditRegion, ...]]:
    """Put the regions of several parts behind one another.

    Args:
        parts: of each, (n,) int64 places in its regions, -1 for none, and those.

    Returns:
        The places of all, and the regions.
    """
    places, regions = [torch.empty(0, dtype=torch.int64)], list[EditRegion]()
    for place, own in parts:
        places.append(torch.where(place < 0, place, place + len(regions)))
        regions += own
    return torch.cat(places), tuple(regions)
