"""Distance between two steps of two traces, as a table over all pairs of codes.

A step is one of A = K * C codes ``state * C + prediction``; its temporal feature
f = (ID, C_q, step label) is a function of the code. So the distance between any two steps is one
of A * A numbers, and the distance of two traces is a sum of T look-ups, divided once.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import torch
from torch import Tensor

from rnnrepair.abstraction import AbstractModel, confidence, temporal_features
from rnnrepair.settings import check_settings, one_of
from rnnrepair.traces import Traces

# Integers up to this size are exact in float32.
_EXACT = 2**24


class Distance(StrEnum):
    """How two traces are compared."""

    PAPER = "paper"
    ALIGNED = "aligned"


@dataclass(frozen=True)
class StepDistance:
    """Distances between codes; code A stands for padding.

    Attributes:
        table: (A + 1, A + 1) float32, symmetric.
        at_end: whether two traces are compared from their last steps backwards, over as many
            steps as the longer one has, or from their first ones on, over as many as all are
            padded to.
    """

    table: Tensor
    at_end: bool

    @property
    def n_codes(self) -> int:
        """A, without padding."""
        return len(self.table) - 1

    def exact(self, n_steps: int) -> Tensor:
        """Return the table rounded so that sums of ``n_steps`` entries are exact in float32.

        Exact sums do not depend on the order of summation: sharded equals whole, CPU equals GPU,
        and equal distances are equal numbers, so that ties are known as such. The rounding
        error per step is at most ``n_steps * table.max() / 2 ** 24``: 6e-7 for the paper distance
        and 28 steps.
        """
        largest = max(float(self.table.max()) * n_steps, 1e-9)
        scale = 2.0 ** math.floor(math.log2(_EXACT / largest))
        return (self.table * scale).round() / scale

    def padded(self, traces: Traces, n_steps: int) -> Tensor:
        """Return (N, T) int32 codes with the steps that are compared in the same column."""
        lengths = traces.lengths
        if not self.at_end or bool((lengths == n_steps).all()):
            return traces.padded_code(n_steps)
        padded = torch.full((len(traces), n_steps), self.n_codes, dtype=torch.int32)
        padded[torch.arange(n_steps) >= n_steps - lengths[:, None]] = traces.code
        return padded

    def divisor(self, first: Tensor, second: Tensor, n_steps: int) -> Tensor:
        """Return the number of steps that sums of table entries are divided by.

        Args:
            first: lengths of traces.
            second: lengths of those that they are compared with, of a shape that broadcasts.
            n_steps: T that both are padded to.

        Returns:
            int64 of both shapes broadcast, or of the second's where lengths do not matter.
        """
        return torch.maximum(first, second) if self.at_end else torch.full_like(second, n_steps)


def paired_distance(distance: StepDistance, first: Traces, second: Traces) -> Tensor:
    """Return (n,) float32 distances of row i of the first traces to row i of the second."""
    n_steps = int(torch.maximum(first.lengths, second.lengths).max())
    here, there = (distance.padded(traces, n_steps).long() for traces in (first, second))
    total = distance.exact(n_steps)[here, there].sum(1)
    return total / distance.divisor(first.lengths, second.lengths, n_steps)


def step_distance(model: AbstractModel, kind: Annotated[str, one_of(Distance)]) -> StepDistance:
    """Build the table for an abstract model.

    Raises:
        SettingsError: unknown kind of distance.
    """
    check_settings(step_distance, locals())
    if kind == Distance.PAPER:
        return paper_distance(model.counts)
    return aligned_distance(model.counts)


def paper_distance(counts: Tensor) -> StepDistance:
    """L1 mean of the normalised feature rows, the original's definition.

    Rows are ``[(ID + 1) / (m + 1), (label + 1) / (C + 1), C_q]`` with ID = 1 .. K and m = K + 1;
    a padded step is a zero row before normalisation. The ID enters as a number although it is
    only a name: renumbering states changes this distance. Use it for comparison with published
    results only.

    Source: RNNRepair equation 3, and its code for how rows are normalised and padded.

    Args:
        counts: (K, C) training steps by state and step prediction.
    """
    n_states, n_classes = counts.shape
    rows = temporal_features(confidence(counts), n_states + 1)
    padding = torch.zeros(1, 2 + n_classes, dtype=torch.float64)
    padding[0, 0], padding[0, 1] = 1 / (n_states + 2), 1 / (n_classes + 1)
    rows = torch.cat([rows, padding])
    return StepDistance((torch.cdist(rows, rows, p=1) / rows.shape[1]).float(), at_end=False)


def aligned_distance(counts: Tensor) -> StepDistance:
    """Mean of three disagreements, each in [0, 1]: state, step label, confidence.

    ``([q != q'] + [y != y'] + |C_q - C_q'|_1 / 2) / 3`` for a step. Two traces are put together
    at their ends, where a classifier decides; a step that only the longer one has counts as much
    as it differs from a training step drawn at random, so that neither like nor unlike lengths
    are an advantage; the sum is divided by the length of the longer one. So the distance lies in
    [0, 1], and depends neither on how states are numbered nor on what traces are padded to.

    Args:
        counts: (K, C) training steps by state and step prediction.
    """
    n_states, n_classes = counts.shape
    known = confidence(counts).double()
    # By state, and by whether the step labels differ.
    states = torch.cdist(known, known, p=1) / 2 + (1 - torch.eye(n_states, dtype=torch.float64))
    frequency = counts.double() / counts.sum()
    other_label = 1 - frequency.sum(0)
    unmatched = (states @ frequency.sum(1)[:, None] + other_label) / 3
    n_codes = n_states * n_classes
    table = torch.zeros(n_codes + 1, n_codes + 1)
    differ = ~torch.eye(n_classes, dtype=torch.bool)
    for state, apart in enumerate(states):
        # A state at a time: with many classes there is no room for several tables in doubles.
        rows = torch.where(differ[:, None], (apart[:, None] + 1) / 3, apart[:, None] / 3)
        table[state * n_classes :][:n_classes, :-1] = rows.reshape(n_classes, n_codes).float()
    table[-1, :-1] = table[:-1, -1] = unmatched.flatten().float()
    return StepDistance(table, at_end=True)
