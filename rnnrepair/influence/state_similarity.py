"""Influence as nearness of the last states."""

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.method import NearScorer
from rnnrepair.influence.ranking import Ranking, rank_rows
from rnnrepair.influence.reduced_views import ends_of
from rnnrepair.influence.view import TrainingView
from rnnrepair.traces import Traces

# Queries ranked at a time: bounds the memory.
QUERY_CHUNK = 100


class StateSimilarity(AnyNetwork):
    """Influence as Euclidean nearness of the reduced states that sequences end in.

    It costs a pass over failures and training samples where their last states are not at hand; an
    analysis has them.

    Source: ours; what knows where a sequence ends, and not how it came there. The default: of the
    methods that cost at most half an epoch it moves losses furthest when what it names is removed
    (docs/results.md, "Does influence predict influence?").
    """

    name = "last_state"

    def fit(self, view: TrainingView) -> "StateScorer":
        """Take the last states of the training samples."""
        return StateScorer(view, self.seed)


class StateScorer(NearScorer):
    """Distances between last states."""

    def __init__(self, view: TrainingView, seed: int = 0) -> None:
        """Take N training samples; the seed is that of the order of ties."""
        super().__init__(view.traces, seed)
        self._view = view
        self._ends = ends_of(view, view.traces)

    @override
    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Rank the training samples by their distance to each query."""
        found = [
            rank_rows(torch.cdist(part, self._ends), self.order, top, allowed)
            for part in ends_of(self._view, queries).split(QUERY_CHUNK)
        ]
        return Ranking(torch.cat([r.row for r in found]), torch.cat([r.distance for r in found]))

    @override
    def distances(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        ends = self._ends if rows is None else self._ends[rows]
        return torch.cdist(ends_of(self._view, queries), ends)
