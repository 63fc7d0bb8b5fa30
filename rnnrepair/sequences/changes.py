"""What a repair does to the data that a network is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rnnrepair.sequences.edit_region import EditRegion


def _nothing() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


@dataclass(frozen=True)
class Changes:
    """Changes of the training data, made together and taken back together; each may be empty.

    Attributes:
        inputs: (n, T, F) features or (n, T) tokens of new sequences, None for none.
        lengths: (n,) int64 steps of those that count.
        label: (n,) int64 of those.
        origin: (n,) int64 indices of the sequences they were made from: whatever a sample has
            beside its steps, it takes over from there. None where the data have nothing beside.
        region: (n,) int64 place in ``regions`` of those new sequences that every epoch draws anew,
            as an edit of that region of their origin or another original of its class and length;
            -1 of those that stay as they are, ``COPY`` of copies that are augmented as originals
            are. Whoever only knows ``inputs`` trains on the first of these. None for none.
        regions: of edits.
        removed: (m,) int64 indices of sequences that are trained on no more. Original ones are
            still read by analyses.
        relabelled: (r,) int64 indices of sequences with another label from now on.
        new_label: (r,) int64 what that is.
        reweighted: (w,) int64 indices of original sequences.
        weight: (w,) float64 in [0, 1], the probability that an epoch sees them.
        untrusted: (u,) int64 indices of original sequences whose label is in doubt: no epoch makes
            a new sequence of them.
    """

    inputs: Tensor | None = None
    lengths: Tensor = field(default_factory=_nothing)
    label: Tensor = field(default_factory=_nothing)
    origin: Tensor | None = None
    region: Tensor | None = None
    regions: Sequence[EditRegion] = ()
    removed: Tensor = field(default_factory=_nothing)
    relabelled: Tensor = field(default_factory=_nothing)
    new_label: Tensor = field(default_factory=_nothing)
    reweighted: Tensor = field(default_factory=_nothing)
    weight: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.float64))
    untrusted: Tensor = field(default_factory=_nothing)
