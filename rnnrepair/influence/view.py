"""What an influence method may look at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rnnrepair.abstraction import AbstractModel, LastStates, ReducedStates
from rnnrepair.influence.dynamics import TrainingDynamics
from rnnrepair.influence.labels import FEWEST_HELD_OUT
from rnnrepair.influence.trajectory import Trajectory
from rnnrepair.network import TracedNetwork
from rnnrepair.protocols import Split
from rnnrepair.sequences import RoughScale, SequenceBatch, fetching_scaled
from rnnrepair.traces import Traces


def _nothing() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


def labelled_together(index: Tensor, label: Tensor, groups: Tensor | None) -> Tensor:
    """Return (n,) int64, equal where samples are of one group and have one label.

    Args:
        index: (n,) int64.
        label: (n,) int64.
        groups: what each sample that was loaded belongs to, looked up by index; None where each
            stands alone.
    """
    if groups is None:
        return index
    # What a repair has added stands alone.
    loaded = index < len(groups)
    group = torch.where(loaded, groups[index.clamp_max(len(groups) - 1)], len(groups) + index)
    return torch.stack([group, label], 1).unique(dim=0, return_inverse=True)[1]


def held_out_of(traces: Mapping[Split, Traces]) -> Traces | None:
    """Return the traces of val, or of test where val is small; None where both are.

    Val is drawn from the same data as training; test may be of others, and is not looked at while a
    network is trained. Samples of the repair split may have been trained on.
    """
    there = [traces[split] for split in ("val", "test") if split in traces]
    return next((of for of in there if len(of) >= FEWEST_HELD_OUT), None)


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
        groups: what each sample of all splits belongs to, looked up by index: copies, windows of
            one recording; None where each stands alone.
        checked: (k,) int64 indices of samples of any split whose label a person has looked at.
        held_out: traces of samples that the network was not trained on; None where there are none.
        scale: of the channels of series; None where they are scaled.
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
    groups: Tensor | None = None
    checked: Tensor = field(default_factory=_nothing)
    held_out: Traces | None = None
    scale: RoughScale | None = None

    def __len__(self) -> int:
        return len(self.traces)

    @property
    def labelled_together(self) -> Tensor:
        """(n_original,) int64, equal where original samples are of one group and have one label.

        If one of these labels is wrong, so are probably all: they do not confirm each other. What
        others of the group are labelled (a copy, the next window) still tells.
        """
        traces = self.traces.between(0, self.n_original)
        return labelled_together(traces.index, traces.label, self.groups)

    @property
    def fetch_scaled(self) -> Callable[[Tensor], SequenceBatch]:
        """Indices to sequences whose channels count alike, for whoever compares inputs."""
        return fetching_scaled(self.fetch, self.scale)

    @property
    def original(self) -> Tensor:
        """(N,) bool, whether a sample was there from the start."""
        return torch.arange(len(self.traces)) < self.n_original
