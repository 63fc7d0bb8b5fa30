"""Scorers that know training samples by themselves, and no query."""

from abc import abstractmethod

import torch
from scipy.stats import rankdata
from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.inputs import nearest_by
from rnnrepair.influence.method import Scorer, label_direction
from rnnrepair.influence.ranking import Ranking
from rnnrepair.influence.ties import tie_order
from rnnrepair.traces import Traces

# Standing of a sample of which nothing is known.
MIDDLE = 0.5


def standing(values: Tensor) -> Tensor:
    """Return (N,) float32 places of N values in (0, 1], the largest last; equal ones share theirs.

    NaN, of which nothing is known, stands in the middle.
    """
    known = ~values.isnan()
    placed = torch.full((len(values),), MIDDLE)
    if bool(known.any()):
        ranks = torch.from_numpy(rankdata(values[known].numpy())).float()
        placed[known] = ranks / len(ranks)
    return placed


class OwnScorer(Scorer):
    """Base of scorers that say of training samples by themselves how suspicious they are.

    What is suspicious pushes the way its label says: towards the wrong prediction where it carries
    the label that a failure is mistaken for, away from it where it carries the true one. A subclass
    gives ``own``, NaN where it knows nothing.
    """

    def __init__(self, traces: Traces, seed: int = 0) -> None:
        """Take the traces of N training samples; the seed is that of the order of ties."""
        self.traces = traces
        self._order = tie_order(traces.index, seed)
        self._placed: Tensor | None = None

    @abstractmethod
    @override
    def own(self) -> Tensor: ...

    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Rank the samples by how far they push, whichever way: distance = - |score|."""
        order = self._order if allowed is None else self._order[allowed[self._order]]
        return nearest_by(lambda rows: -self.scores(queries, rows).abs().T, order, top)

    def scores(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        """Return (M, n): the standing of each sample, with the sign of what its label pushes to."""
        if self._placed is None:
            self._placed = standing(self.own())
        label, placed = self.traces.label, self._placed
        if rows is not None:
            label, placed = label[rows], placed[rows]
        return label_direction(label, queries) * placed


class KnownScorer(OwnScorer):
    """An own scorer of values that are there."""

    def __init__(self, traces: Traces, values: Tensor, seed: int = 0) -> None:
        """Take N training traces and their (N,) values, the larger the more suspicious."""
        super().__init__(traces, seed)
        self._values = values.float()

    @override
    def own(self) -> Tensor:
        return self._values
