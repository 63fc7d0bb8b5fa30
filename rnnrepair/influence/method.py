"""One interface for influence: which training samples stand behind each failure."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.need import Need
from rnnrepair.influence.ranking import Ranking, rank_rows
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.view import TrainingView, labelled_together
from rnnrepair.network import TracedNetwork
from rnnrepair.protocols import RepairableData
from rnnrepair.sequences import Kind, SequenceBatch, check_fits
from rnnrepair.traces import Traces

# Training sequences that a method is shown first.
CHECKED_ON = 20
# Other training samples that a sample's own label is compared with.
OWN_NEIGHBOURS = 20
# Training samples whose neighbours are looked for at a time: bounds the memory.
AT_A_TIME = 500


class InfluenceMethod(Protocol):
    """A way to score training samples.

    Attributes:
        name: for messages.
        fits: kinds of data that it reads.
        needs: parts of a view that it cannot do without.
    """

    name: str
    fits: frozenset[Kind]
    needs: frozenset[Need]

    def check(self, network: TracedNetwork, batch: SequenceBatch) -> None:
        """Refuse a network that the method cannot read; called before any training.

        Args:
            network: verified.
            batch: a few training sequences.

        Raises:
            ConfigurationError: says what it reads instead.
        """

    def fit(self, view: TrainingView) -> "Scorer":
        """Prepare the N training samples of a view."""
        ...


def check_method(
    method: InfluenceMethod,
    network: TracedNetwork,
    data: RepairableData,
    missing: Mapping[Need, str],
) -> None:
    """Refuse a method that cannot read the data or the network; called before any training.

    Args:
        method: chosen.
        network: verified.
        data: set up.
        missing: what the view of the training data will not hold, each with the reason.

    Raises:
        ConfigurationError: says what the method reads instead, or why it will not get what it
            needs.
    """
    check_fits([("method", method)], data.spec)
    reasons = [reason for need, reason in missing.items() if need in method.needs]
    if reasons:
        raise ConfigurationError(f"The method {method.name} has nothing to read: {reasons[0]}")
    method.check(network, data.fetch(data.indices("fit")[:CHECKED_ON]))


class Scorer(ABC):
    """Scores of N training samples, for failures and by themselves."""

    @abstractmethod
    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Return the most influential samples of M queries, whichever way they push.

        Args:
            queries: M traces.
            top: how many to return.
            allowed: (N,) bool, samples that may be returned; all where None.
        """

    @abstractmethod
    def scores(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        """Return (M, n) float32: above 0 pushes towards the wrong prediction, below 0 away from it.

        Args:
            queries: M traces of failures.
            rows: (n,) int64 rows of the training samples; all N where None.
        """

    def group_scores(self, queries: Traces) -> Tensor:
        """Return (N,) float32, the mean of ``scores`` over M queries."""
        return self.scores(queries).mean(0)

    @abstractmethod
    def own(self) -> Tensor:
        """Return (N,) float32: how suspicious each training sample is by itself."""


def label_direction(label: Tensor, queries: Traces) -> Tensor:
    """Return (M, n): 1 where a label pushes towards a wrong prediction, -1 away from it, else 0.

    Args:
        label: (n,) of training samples.
        queries: M traces of failures.
    """
    towards = (label == queries.final_prediction[:, None]).float()
    away = (label == queries.label[:, None]).float()
    return towards - away


class NearScorer(Scorer):
    """Base of scorers by nearness, whatever makes two samples near.

    Nearness itself knows no direction. What pushes is the label: a near sample of the label that
    the failure is mistaken for pushes towards it, one of the true label away from it, and others
    do neither.
    """

    def __init__(self, traces: Traces, seed: int = 0) -> None:
        """Take the traces of N training samples; the seed is that of the order of ties."""
        self.traces = traces
        self.order = tie_order(traces.index, seed)

    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Rank the training samples by their distance to each query."""
        return rank_rows(self.distances(queries), self.order, top, allowed)

    @abstractmethod
    def distances(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        """Return (M, n) distances of 0 and more; arguments as for ``scores``."""

    def scores(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        """Return (M, n): 1 / (1 + distance), with the sign of what the label pushes to."""
        label = self.traces.label if rows is None else self.traces.label[rows]
        return label_direction(label, queries) / (1 + self.distances(queries, rows))

    def own(self) -> Tensor:
        """Return (N,) share of the nearest other training samples that carry another label."""
        votes = self.votes(self.traces)
        agree = votes.gather(1, self.traces.label[:, None]).squeeze(1)
        asked = votes.sum(1)
        return (asked - agree) / asked.clamp_min(1)

    def votes(self, queries: Traces, groups: Tensor | None = None) -> Tensor:
        """Return (M, C) int64: labels of the nearest training samples of M traces, counted.

        A query that is a training sample itself has no vote of its own, nor have those that are
        ``labelled_together`` with it.

        Args:
            queries: M traces.
            groups: what each sample belongs to, looked up by index; None where each stands alone.
        """
        parts = torch.arange(len(queries)).split(AT_A_TIME)
        nothing = torch.empty(0, queries.n_classes, dtype=torch.int64)
        votes = (self._votes(queries.select(rows), groups) for rows in parts)
        return torch.cat([nothing, *votes])

    def _votes(self, queries: Traces, groups: Tensor | None) -> Tensor:
        index = torch.cat([self.traces.index, queries.index])
        label = torch.cat([self.traces.label, queries.label])
        together = labelled_together(index, label, groups)
        of, own = together.split([len(self.traces), len(queries)])
        largest = int(of.unique(return_counts=True)[1].max()) if len(of) else 1
        near = self.rank(queries, OWN_NEIGHBOURS + largest).row
        other = (near >= 0) & (of[near] != own[:, None])
        # A sample with many equals need not be among its own nearest: then the last is too many.
        other &= other.cumsum(1) <= OWN_NEIGHBOURS
        voters = torch.where(other, self.traces.label[near], -1)
        return (voters[..., None] == torch.arange(queries.n_classes)).sum(1)
