"""Sequences that begin otherwise, to see which states know how they began."""

from dataclasses import replace

import torch
from torch import Tensor

from rnnrepair.sequences import SequenceBatch

# Convolutions and shifts know a few steps; what knows more than these has a memory.
NEAR = 8


def begun_otherwise(batch: SequenceBatch) -> SequenceBatch:
    """Return the batch with the beginnings of other sequences, all but a few last steps.

    No padding comes before a step, and none is replaced: networks may take its place for the end.
    """
    n_steps = batch.inputs.shape[1]
    begin = n_steps - min(NEAR, n_steps // 2)
    both = torch.minimum(batch.lengths, batch.lengths.roll(1, 0)).clamp_max(begin)
    replaced = torch.arange(n_steps) < both.cpu()[:, None]

    def other(values: Tensor) -> Tensor:
        here = replaced.to(values.device).view(replaced.shape + (1,) * (values.dim() - 2))
        return torch.where(here, values.roll(1, 0), values)

    beside = {name: other(values) for name, values in batch.beside.items()}
    return replace(batch, inputs=other(batch.inputs), beside=beside)
