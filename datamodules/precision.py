"""Numbers that single precision, in which networks read, cannot tell apart."""

from collections.abc import Iterable

import torch
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

# Share of the values that differ from the one before, from which on that is told.
MERGED = 0.01
# Differences that count, in standard deviations of the channel in its sequence.
SEEN = 1e-3


def tell_merged(sequences: Iterable[Tensor], name: str) -> None:
    """Warn where values that differ from the one before them are the same in single precision.

    So it is with times that are counted from 1970.

    Args:
        sequences: (T, ...) each, steps first; what is not in double precision is passed over.
        name: of them, for the message.
    """
    counts: Tensor | None = None
    for values in sequences:
        if values.dtype != torch.float64 or len(values) < 2:
            continue
        values = values.flatten(1) if values.dim() > 1 else values[:, None]
        step = values.diff(dim=0)
        # Last digits that differ where hardly anything does are no matter.
        counted = step.abs() > SEEN * values.std(0, correction=0)
        merged = counted & (values.float().diff(dim=0) == 0)
        told = torch.stack([merged.sum(0), counted.sum(0)])
        counts = told if counts is None else counts + told
    if counts is None:
        return
    share = counts[0] / counts[1].clamp_min(1)
    if float(share.max()) > MERGED:
        rank_zero_warn(
            f"{name}: {float(share.max()):.1%} of the values of channel {int(share.argmax())} that "
            "differ from the one before them are the same in single precision, in which they are "
            "read here. If the network reads double precision, subtract what all have in common "
            "(of times: the first), for training too."
        )
