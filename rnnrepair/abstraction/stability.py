"""Confidence and stability of abstract states.

Source: RNNRepair, definitions "confidence score" (equation 1) and "delta-stable".
"""

from dataclasses import dataclass

import torch
from torch import Tensor


def count_predictions(code: Tensor, n_states: int, n_classes: int) -> Tensor:
    """Return (K, C) int64: how often each class was the step prediction in each state."""
    counts = torch.bincount(code.long(), minlength=n_states * n_classes)
    return counts.view(n_states, n_classes)


def confidence(counts: Tensor) -> Tensor:
    """Return (K, C) float64 shares C_q of the step predictions; rows of empty states are zero.

    Example:
        >>> confidence(torch.tensor([[3, 1], [0, 0]])).tolist()
        [[0.75, 0.25], [0.0, 0.0]]
    """
    return counts.double() / counts.sum(1, keepdim=True).clamp_min(1)


@dataclass(frozen=True)
class Stability:
    """Stability delta_q = max C_q over the visited states; the artificial start is no state.

    Attributes:
        mean: unweighted mean over visited states.
        weighted_mean: mean over visits.
        min: the least stable visited state.
        n_empty: states that no step visits; they count in none of the three.
    """

    mean: float
    weighted_mean: float
    min: float
    n_empty: int

    @classmethod
    def of(cls, counts: Tensor) -> "Stability":
        """Summarise (K, C) counts.

        Example:
            >>> Stability.of(torch.tensor([[3, 1], [0, 0], [0, 4]]))
            Stability(mean=0.875, weighted_mean=0.875, min=0.75, n_empty=1)
        """
        visits = counts.sum(1)
        visited = visits > 0
        delta = confidence(counts).amax(1)[visited]
        if len(delta) == 0:
            return cls(float("nan"), float("nan"), float("nan"), len(counts))
        weights = visits[visited] / visits.sum()
        return cls(
            float(delta.mean()),
            float((delta * weights).sum()),
            float(delta.min()),
            int((~visited).sum()),
        )
