"""Numbers that single precision, in which networks read, cannot tell apart."""

from collections.abc import Iterable

import torch
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

# Share of the values that differ from the one before, from which on that is told.
MERGED = 0.01


def tell_merged(sequences: Iterable[Tensor], name: str) -> None:
    """Warn where values that differ from the one before them are the same in single precision.

    So it is with times that are counted from 1970.

    Args:
        sequences: (T, ...) each; those that are not in double precision are passed over.
        name: of them, for the message.
    """
    n_merged = n_differ = 0
    for values in sequences:
        if values.dtype == torch.float64:
            differ = values.diff(dim=0) != 0
            n_merged += int((differ & (values.float().diff(dim=0) == 0)).sum())
            n_differ += int(differ.sum())
    if n_merged > MERGED * n_differ:
        rank_zero_warn(
            f"{name}: {n_merged / n_differ:.1%} of the values that differ from the one before them "
            "are the same in single precision, in which they are read here. If the network reads "
            "double precision, subtract what all have in common (of times: the first), for "
            "training too."
        )
