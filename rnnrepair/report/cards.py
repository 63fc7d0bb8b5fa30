"""One failure with its influential and its injected samples, ready to be shown."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

Mark = tuple[int, int]
"""First step and end of a part of a sequence; (0, 0) for none."""


@dataclass(frozen=True)
class FailureCard:
    """Everything that is shown of one failure (T steps, F features, n samples).

    Attributes:
        index: of the failure.
        label: its true class.
        predicted: the class that the unrepaired network gives it.
        inputs: (T, F) features or (T,) tokens.
        states: (T,) abstract state after each step.
        predictions: (T,) step predictions.
        step: after which the prediction leaves the truth for good.
        segment: the responsible segment around it.
        nearest: n influential training samples, (T_i, F) or (T_i,), nearest first.
        nearest_label: (n,).
        nearest_caption: n words on how near each is.
        nearest_note: what they are, where it is not simply the nearest of all.
        nearest_mark: n parts that the samples have in common with the failure.
        injected: m samples injected for it, (T_i, F) or (T_i,).
        injected_label: (m,).
        injected_mark: m parts that come from the failure.
    """

    index: int
    label: int
    predicted: int
    inputs: Tensor
    states: Tensor
    predictions: Tensor
    step: int
    segment: Mark
    nearest: list[Tensor]
    nearest_label: Tensor
    nearest_caption: list[str]
    nearest_note: str
    nearest_mark: list[Mark]
    injected: list[Tensor]
    injected_label: Tensor
    injected_mark: list[Mark]

    def as_state(self) -> dict[str, Any]:
        """Return plain values and tensors for a checkpoint."""
        return dict(vars(self))

    @property
    def is_text(self) -> bool:
        """Whether inputs are tokens."""
        return not self.inputs.is_floating_point()
