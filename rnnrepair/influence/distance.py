"""Distance between two steps of two traces, as a table over all pairs of codes.

A step is one of A = K * C codes ``state * C + prediction``; its temporal feature
f = (ID, C_q, step label) is a function of the code. So the distance between any two steps is one
of A * A numbers, and the distance of two traces is the mean of T look-ups.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from rnnrepair.abstraction import AbstractModel, split_code, temporal_features
from rnnrepair.errors import ConfigurationError

# Integers up to this size are exact in float32.
_EXACT = 2**24


class Distance(StrEnum):
    """How two traces are compared."""

    PAPER = "paper"
    MASKED = "masked"


@dataclass(frozen=True)
class StepDistance:
    """Distances between codes; code A stands for padding.

    Attributes:
        table: (A + 1, A + 1) float32, symmetric.
        masked: whether padded steps count (paper) or are left out of the mean (masked).
    """

    table: Tensor
    masked: bool

    @property
    def n_codes(self) -> int:
        """A, without padding."""
        return len(self.table) - 1

    def exact(self, n_steps: int) -> Tensor:
        """Return the table rounded so that sums of ``n_steps`` entries are exact in float32.

        Exact sums do not depend on the order of summation: sharded equals whole, CPU equals GPU,
        and equal distances are equal numbers, so that ties can be broken by index. The rounding
        error per step is at most ``n_steps * table.max() / 2 ** 24``: 6e-7 for the paper distance
        and 28 steps.
        """
        largest = max(float(self.table.max()) * n_steps, 1e-9)
        scale = 2.0 ** math.floor(math.log2(_EXACT / largest))
        return (self.table * scale).round() / scale


def step_distance(model: AbstractModel, kind: Distance | str) -> StepDistance:
    """Build the table for an abstract model.

    Raises:
        ConfigurationError: unknown kind of distance.
    """
    if kind == Distance.PAPER:
        return paper_distance(model.confidence)
    if kind == Distance.MASKED:
        return masked_distance(model.confidence)
    raise ConfigurationError(
        f"influence.distance must be one of {[d.value for d in Distance]}, got {kind!r}."
    )


def paper_distance(confidence: Tensor) -> StepDistance:
    """L1 mean of the normalised feature rows, the original's definition.

    Rows are ``[(ID + 1) / (m + 1), (label + 1) / (C + 1), C_q]`` with ID = 1 .. K and m = K + 1;
    a padded step is a zero row before normalisation. The ID enters as a number although it is
    only a name: renumbering states changes this distance. Use it for comparison with published
    results only.

    Source: RNNRepair code, experiments reference 4.2 and 4.3.

    Args:
        confidence: (K, C).
    """
    n_states, n_classes = confidence.shape
    rows = temporal_features(confidence, n_states + 1)
    padding = torch.zeros(1, 2 + n_classes, dtype=torch.float64)
    padding[0, 0], padding[0, 1] = 1 / (n_states + 2), 1 / (n_classes + 1)
    rows = torch.cat([rows, padding])
    return StepDistance((torch.cdist(rows, rows, p=1) / rows.shape[1]).float(), masked=False)


def masked_distance(confidence: Tensor) -> StepDistance:
    """Mean of three disagreements, each in [0, 1]: state, step label, confidence.

    ``([q != q'] + [y != y'] + |C_q - C_q'|_1 / 2) / 3``. It does not depend on how states are
    numbered, and padding is left out.

    Args:
        confidence: (K, C).
    """
    n_states, n_classes = confidence.shape
    state, label = split_code(n_states, n_classes)
    apart = torch.cdist(confidence.double(), confidence.double(), p=1) / 2
    table = (
        (state[:, None] != state).double()
        + (label[:, None] != label).double()
        + apart[state][:, state]
    ) / 3
    padded = torch.zeros(len(table) + 1, len(table) + 1)
    padded[:-1, :-1] = table.float()
    return StepDistance(padded, masked=True)
