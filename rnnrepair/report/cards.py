"""One failure with its influential and its injected samples, ready to be shown."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class FailureCard:
    """Everything that is shown of one failure (T steps, F features, n samples).

    Attributes:
        index: of the failure.
        label: its true class.
        predicted: the class that the unrepaired network gives it.
        inputs: (T, F).
        states: (T,) abstract state after each step.
        predictions: (T,) step predictions.
        step: after which the prediction leaves the truth for good.
        nearest: (n, T, F) influential training samples, nearest first.
        nearest_label: (n,).
        nearest_distance: (n,).
        injected: (m, T, F) samples injected for it.
    """

    index: int
    label: int
    predicted: int
    inputs: Tensor
    states: Tensor
    predictions: Tensor
    step: int
    nearest: Tensor
    nearest_label: Tensor
    nearest_distance: Tensor
    injected: Tensor

    def as_state(self) -> dict[str, Any]:
        """Return plain values and tensors for a checkpoint."""
        return dict(vars(self))
