"""Sequences that begin otherwise, to see which states know how they began."""

from dataclasses import replace

import torch
from torch import Tensor

from rnnrepair.sequences import SequenceBatch

# Convolutions and shifts know a few steps; what knows more than these has a memory.
NEAR = 8


def begun_otherwise(batch: SequenceBatch) -> SequenceBatch:
    """Return the batch with the beginnings of other sequences, all but a few last steps."""
    n_steps = batch.inputs.shape[1]
    near = min(NEAR, n_steps // 2)

    def other(values: Tensor) -> Tensor:
        begin = n_steps - near
        return torch.cat([values[:, :begin].roll(1, 0), values[:, begin:]], 1)

    beside = {name: other(values) for name, values in batch.beside.items()}
    return replace(batch, inputs=other(batch.inputs), beside=beside)
