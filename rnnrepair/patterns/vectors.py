"""Sequences as vectors of one width, compared by what stands in them alone."""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, normalize, pad

from rnnrepair.sequences import DataSpec, Kind, SequenceBatch
from rnnrepair.sequences.steps_at import steps_at

# Values of a series, at most: longer ones are averaged over neighbouring steps.
VALUES = 1024
# Numbers that the words of a text are told apart by.
WORDS = 1024


def vectors_of(batch: SequenceBatch, spec: DataSpec, n_steps: int) -> Tensor:
    """Return (B, D) float32 vectors.

    Images are taken pixel by pixel, with rows of 0 below those that have fewer; of series the last
    steps stand below one another, as traces are compared, every channel in its spreads; of texts it
    counts which words they hold.

    Args:
        batch: B sequences.
        spec: of the data.
        n_steps: of the longest sequence.
    """
    if spec.kind == Kind.TOKENS:
        return _words(batch)
    if spec.kind == Kind.IMAGE:
        return pad(batch.zero_padded, (0, 0, 0, n_steps - batch.inputs.shape[1])).flatten(1)
    step = torch.arange(n_steps) - (n_steps - batch.lengths[:, None])
    place = step.clamp(0, batch.inputs.shape[1] - 1)
    inputs = batch.inputs if spec.scale is None else spec.scale.scaled(batch.inputs)
    values = steps_at(inputs, place).masked_fill_((step < 0)[..., None], 0)
    n_parts = max(1, min(n_steps, VALUES // batch.inputs.shape[2]))
    if n_parts < n_steps:
        values = adaptive_avg_pool1d(values.transpose(1, 2), n_parts)
    return values.flatten(1)


def _words(batch: SequenceBatch) -> Tensor:
    held = torch.zeros(len(batch), WORDS)
    place = torch.where(batch.mask, batch.inputs % WORDS, -1)
    held.scatter_(1, place.clamp_min(0), 1.0)
    # The word at place 0 is held only where it is read.
    held[:, 0] = (place == 0).any(1).float()
    return normalize(held)
