"""What an argument looks like that is no known view of a batch."""

from typing import Any

from torch import Tensor

from rnnrepair.sequences import SequenceBatch

FRONT = (
    "It holds the inputs padded in front: let batches be padded behind, and move the padding in "
    "front into forward. "
)
CHANGED = (
    "It has the shape of the inputs and other numbers: change them in the data, or in forward, not "
    "in between. "
)


def likeness(value: Any, batch: SequenceBatch) -> str:
    """Return in which way a value is the inputs of a batch, for people; empty where it is not.

    Args:
        value: that forward is given.
        batch: of sequences of different lengths.
    """
    inputs, lengths = batch.inputs, batch.lengths.tolist()
    if not isinstance(value, Tensor) or value.dim() != inputs.dim() or len(value) != len(inputs):
        return ""
    rows = list(zip(value, inputs, lengths, strict=True))
    fits = value.shape[2:] == inputs.shape[2:] and value.shape[1] >= max(lengths)
    if fits and all(bool((row[-n:] == own[:n]).all()) for row, own, n in rows):
        return FRONT
    return CHANGED if value.shape == inputs.shape else ""
