"""Influence as nearness of the states that sequences end in."""

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.inputs import nearest_by
from rnnrepair.influence.method import NearScorer
from rnnrepair.influence.need import Need
from rnnrepair.influence.ranking import Ranking
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import EVERY_KIND, SequenceBatch
from rnnrepair.traces import Traces

# Sequences that the network reads at a time.
READ = 1000


class StateDisagreement:
    """Nearness of the reduced states that sequences end in, and whether near labels agree.

    By itself a sample is as suspicious as many of its 20 nearest others carry another label. It
    costs a forward pass over the training samples.

    Source: Papernot & McDaniel, "Deep k-Nearest Neighbors", 2018, on the last layer alone.
    """

    name = "state_disagreement"
    fits = EVERY_KIND
    needs: frozenset[Need] = frozenset()

    def __init__(self, seed: int = 0) -> None:
        """Choose the seed of the order of ties."""
        self.seed = seed

    def check(self, network: TracedNetwork, batch: SequenceBatch) -> None:
        """Accept every network that has states."""

    def fit(self, view: TrainingView) -> "FinalStateScorer":
        """Read the final states of the training samples."""
        return FinalStateScorer(view, self.seed)


class FinalStateScorer(NearScorer):
    """Euclidean distances between reduced final states."""

    def __init__(self, view: TrainingView, seed: int = 0) -> None:
        """Take N training samples; the seed is that of the order of ties."""
        super().__init__(view.traces)
        self._view = view
        self._order = tie_order(view.traces.index, seed)
        self._end = self._ends(view.traces)

    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Rank the training samples by the distance of their final states."""
        order = self._order if allowed is None else self._order[allowed[self._order]]
        ends = self._ends(queries)
        return nearest_by(lambda rows: torch.cdist(self._end[rows], ends), order, top)

    @override
    def distances(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        end = self._end if rows is None else self._end[rows]
        return torch.cdist(self._ends(queries), end)

    def _ends(self, traces: Traces) -> Tensor:
        """Return the (n, k) reduced states that sequences end in."""
        view = self._view
        batches = (view.fetch(index) for index in traces.index.split(READ))
        ends = [
            batch.hidden[batch.lengths.cumsum(0) - 1]
            for batch in view.network.steps(batches, view.model.reduction)
        ]
        return torch.cat(ends)
