"""What a network answers on a split."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Predictions:
    """Predictions of a network on N sequences.

    Attributes:
        index: (N,) int64, ascending.
        label: (N,) int64.
        predicted: (N,) int64.
        logits: (N, C) float32, None where they were not kept.
    """

    index: Tensor
    label: Tensor
    predicted: Tensor
    logits: Tensor | None = None

    @property
    def correct(self) -> Tensor:
        """(N,) bool."""
        return self.predicted == self.label

    @property
    def accuracy(self) -> float:
        """Share of correct predictions."""
        return self.correct.double().mean().item()

    @property
    def n_failures(self) -> int:
        """Number of wrong predictions."""
        return int((~self.correct).sum())
