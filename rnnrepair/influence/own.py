"""Base of methods that score training samples by themselves and know no query."""

from functools import cached_property

import torch
from torch import Tensor

from rnnrepair.influence.method import Scorer
from rnnrepair.influence.ranking import Ranking, rank_rows
from rnnrepair.influence.ties import tie_order
from rnnrepair.traces import Traces


class OwnScorer(Scorer):
    """A subclass gives ``own``; what it says of a query follows from the labels.

    A suspicious sample of the label that the failure is mistaken for pushes towards it, one of the
    true label away from it, and others do neither.
    """

    def __init__(self, traces: Traces, seed: int = 0) -> None:
        """Take the traces of N training samples; the seed is that of the order of ties."""
        self.traces = traces
        self._order = tie_order(traces.index, seed)

    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Rank training samples by how far they push, either way: distance = - |score|."""
        return rank_rows(-self.scores(queries).abs(), self._order, top, allowed)

    def scores(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        """Return (M, n): the rank of ``own`` in (0, 1], with the sign of what the label does."""
        label, rank = self.traces.label, self._rank
        if rows is not None:
            label, rank = label[rows], rank[rows]
        towards = (label == queries.final_prediction[:, None]).float()
        away = (label == queries.label[:, None]).float()
        return (towards - away) * rank

    @cached_property
    def _rank(self) -> Tensor:
        """(N,) float32 share of the samples that are at most as suspicious."""
        own = self.own()
        place = torch.searchsorted(own.sort().values, own, right=True)
        return place.float() / len(own)
