"""What an influence method may look at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rnnrepair.abstraction import AbstractModel, LastStates, ReducedStates
from rnnrepair.influence.dynamics import TrainingDynamics
from rnnrepair.influence.trajectory import Trajectory
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces


def _nothing() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


@dataclass(frozen=True)
class TrainingView:
    """The training data, as the network of an analysed epoch sees them.

    Attributes:
        traces: of N training samples, original samples first, then injected ones.
        model: the abstract model that made the traces.
        n_original: how many of them were there from the start.
        network: whose traces they are; for methods that compute gradients.
        fetch: indices to sequences; the same.
        dynamics: what training has shown of the samples, by their indices; None where nobody has
            recorded it.
        states: reduced states of the training samples, in their order; None where they were not
            kept.
        ends: those that sequences of all splits end in; None where they were not kept.
        trajectory: every step of the training; None where nobody has recorded it.
        columns: what the user's data say of each sample of all splits, by the name of the column;
            looked up by index.
        checked: (k,) int64 indices of samples of any split whose label a person has looked at.
    """

    traces: Traces
    model: AbstractModel
    n_original: int
    network: TracedNetwork
    fetch: Callable[[Tensor], SequenceBatch]
    dynamics: TrainingDynamics | None = None
    states: ReducedStates | None = None
    ends: LastStates | None = None
    trajectory: Trajectory | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    checked: Tensor = field(default_factory=_nothing)

    def __len__(self) -> int:
        return len(self.traces)

    @property
    def original(self) -> Tensor:
        """(N,) bool, whether a sample was there from the start."""
        return torch.arange(len(self.traces)) < self.n_original
