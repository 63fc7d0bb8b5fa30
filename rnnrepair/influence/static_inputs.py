"""Further inputs of whole sequences, as a part of what sequences are compared by."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.sequences import SequenceBatch


@dataclass(frozen=True, eq=False)
class StaticInputs:
    """Brings further inputs to a spread that can be compared with that of the sequences.

    A label may depend on them as much as on the sequence (heating or cooling), so that together
    they count as much. Those that are the same in all samples say nothing.

    Attributes:
        mean: (S,) float32 of all numbers of a sample.
        factor: (S,) float32.
    """

    mean: Tensor
    factor: Tensor

    @classmethod
    def of(cls, batch: SequenceBatch, spread: float) -> "StaticInputs":
        """Measure them.

        Args:
            batch: B training samples.
            spread: variance of all numbers of a sequence together, which theirs shall be.
        """
        values = _numbers(batch)
        deviation = values.std(0, correction=0)
        varies = deviation > 0
        n_varying = max(int(varies.sum()), 1)
        factor = math.sqrt(spread / n_varying) / deviation.where(varies, torch.ones(()))
        return cls(values.mean(0), factor.masked_fill(~varies, 0))

    def vectors(self, batch: SequenceBatch) -> Tensor:
        """Return (B, S) float32 numbers of B sequences."""
        return (_numbers(batch) - self.mean) * self.factor


def _numbers(batch: SequenceBatch) -> Tensor:
    parts = [batch.static[name].reshape(len(batch), -1).float() for name in sorted(batch.static)]
    return torch.cat([torch.empty(len(batch), 0), *parts], 1)
