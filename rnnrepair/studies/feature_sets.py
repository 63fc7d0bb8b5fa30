"""The feature sets that SimNN is compared on."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.abstraction import temporal_features

# Columns of the temporal features that each set keeps; the others are zero.
FEATURE_SETS: Mapping[str, frozenset[str]] = {
    "RL": frozenset({"RL"}),
    "ID": frozenset({"ID"}),
    "ID_RL": frozenset({"ID", "RL"}),
    "CS": frozenset({"CS"}),
    "RL_ID_CS": frozenset({"RL", "ID", "CS"}),
}


@dataclass(frozen=True)
class Threshold:
    """How small confidences are cut off.

    Attributes:
        value: entries of C_q below it become 0; 0 leaves all.
        renormalise: divide what is left by its sum.

    Source: student report, section "confidence threshold"; docs/method.md 4.5.
    """

    value: float = 0.0
    renormalise: bool = False

    @property
    def name(self) -> str:
        """For tables."""
        if self.value == 0:
            return "none"
        return f"{self.value:g}" + (", renormalised" if self.renormalise else "")

    def __call__(self, confidence: Tensor) -> Tensor:
        """Return (K, C) confidences without the small ones.

        Example:
            >>> Threshold(0.3)(torch.tensor([[0.75, 0.25]])).tolist()
            [[0.75, 0.0]]
        """
        kept = torch.where(confidence >= self.value, confidence, 0.0)
        if not self.renormalise:
            return kept
        return kept / kept.sum(1, keepdim=True).clamp_min(1e-12)


def feature_table(confidence: Tensor, features: str, threshold: Threshold | None = None) -> Tensor:
    """Return the (A + 1, 2 + C) features of every code; the last row, of padding, is zero.

    The original pads before it normalises, so that padding looks like a step; here it adds
    nothing (docs/method.md 4.2).

    Args:
        confidence: (K, C).
        features: a key of ``FEATURE_SETS``.
        threshold: see ``Threshold``.
    """
    kept = FEATURE_SETS[features]
    rows = temporal_features((threshold or Threshold())(confidence), len(confidence))
    used = ["ID" in kept, "RL" in kept, *["CS" in kept] * confidence.shape[1]]
    rows = rows * torch.tensor(used, dtype=rows.dtype)
    return torch.cat([rows, rows.new_zeros(1, rows.shape[1])])
