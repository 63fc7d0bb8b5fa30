"""Influence as nearness of the last states."""

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.method import NearScorer
from rnnrepair.influence.ranking import Ranking, rank_rows
from rnnrepair.influence.reduced_views import states_of, training_states
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.view import TrainingView
from rnnrepair.traces import Traces


class StateSimilarity(AnyNetwork):
    """Influence as Euclidean nearness of the reduced states that sequences end in.

    It costs a pass over the training samples where their states are not there.

    Source: ours; what knows where a sequence ends, and not how it came there.
    """

    name = "last_state"

    def fit(self, view: TrainingView) -> "StateScorer":
        """Take the last states of the training samples."""
        return StateScorer(view, self.seed)


class StateScorer(NearScorer):
    """Distances between last states."""

    def __init__(self, view: TrainingView, seed: int = 0) -> None:
        """Take N training samples; the seed is that of the order of ties."""
        super().__init__(view.traces)
        self._view = view
        states = training_states(view)
        self._ends = states.vector[states.last_step]
        self._order = tie_order(view.traces.index, seed)

    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Rank the training samples by their distance to each query."""
        return rank_rows(self.distances(queries), self._order, top, allowed)

    @override
    def distances(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        states = states_of(self._view, queries)
        ends = self._ends if rows is None else self._ends[rows]
        return torch.cdist(states.vector[states.last_step], ends)
