"""Influence through the last layer: likeness of states, weighted by both errors."""

import torch
from torch import Tensor
from torch.nn.functional import pad
from typing_extensions import override

from rnnrepair.abstraction import ReducedStates, Reduction
from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.method import Scorer
from rnnrepair.influence.ranking import Ranking, rank_rows
from rnnrepair.influence.reduced_views import errors_of, states_of, training_states
from rnnrepair.influence.segments import responsible_segment
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.view import TrainingView
from rnnrepair.traces import Traces


class ErrorStates(AnyNetwork):
    """Influence as the product of two loss gradients with respect to a linear layer on the state.

    That gradient is the outer product of error (probabilities minus the true class) and state, so
    the product of two is the product of the states times that of the errors: TracIn of the last
    layer, up to what the reduction of states leaves out. No gradient is computed, and the network
    need not have such a layer. It costs a forward pass over the training samples, and one more
    where their states are not there.

    Source: Yeh et al., "Representer Point Selection for Explaining Deep Neural Networks", 2018; the
    segment is ours.
    """

    name = "error_states"

    def __init__(self, segment: bool = False, seed: int = 0) -> None:
        """Choose whose states are compared.

        Args:
            segment: compare the states of the failure's responsible segment with those that stand
                as far from the end in training samples, and not the last states alone.
            seed: of the order of ties.
        """
        self.segment = segment
        super().__init__(seed)

    def fit(self, view: TrainingView) -> "ErrorStateScorer":
        """Take states and errors of the training samples."""
        return ErrorStateScorer(view, self.segment, self.seed)


class ErrorStateScorer(Scorer):
    """Products of states times products of errors."""

    def __init__(self, view: TrainingView, segment: bool = False, seed: int = 0) -> None:
        """Take N training samples; the rest as for ``ErrorStates``."""
        self._view = view
        self._segment = segment
        self._error = errors_of(view, view.traces)
        self._states = training_states(view)
        self._order = tie_order(view.traces.index, seed)

    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Rank training samples by how far they push each query: distance = - |score|."""
        return rank_rows(-self.scores(queries).abs(), self._order, top, allowed)

    @override
    def scores(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        error = self._error if rows is None else self._error[rows]
        return -(errors_of(self._view, queries) @ error.T) * self._likeness(queries, rows)

    @override
    def own(self) -> Tensor:
        """Return (N,) squared norm of the gradient of the last layer."""
        ends = self._whole(self._states, self._states.last_step)
        return self._error.square().sum(1) * ends.square().sum(1)

    def _likeness(self, queries: Traces, rows: Tensor | None) -> Tensor:
        """Return (M, n) products of states."""
        of_queries = states_of(self._view, queries)
        train = self._states if rows is None else self._states.select(rows)
        if not self._segment:
            ends = self._whole(train, train.last_step)
            return self._whole(of_queries, of_queries.last_step) @ ends.T
        segment = responsible_segment(queries, self._view.model.confidence)
        # Counted from the end, where traces are put together.
        behind = (queries.lengths[:, None] - segment).tolist()
        found = torch.zeros(len(queries), len(train))
        for query, (first, end) in enumerate(behind):
            last = of_queries.offsets[query + 1]
            for step in range(end + 1, first + 1):
                there = train.lengths >= step
                here = self._whole(of_queries, (last - step)[None])
                states = self._whole(train, (train.offsets[1:] - step)[there])
                found[query, there] += (states @ here.T)[:, 0]
        return found

    def _whole(self, states: ReducedStates, steps: Tensor) -> Tensor:
        """Return (n, k + 1) reduced states whose products are those of states, with a 1 behind."""
        return uncentred(states.vector[steps], self._view.model.reduction)


def uncentred(vector: Tensor, reduction: Reduction) -> Tensor:
    """Return (n, k + 1) vectors whose products are those of the hidden states, plus 1 for the bias.

    Exactly those where the reduction keeps all components.

    Args:
        vector: (n, k) reduced states, which are centred.
        reduction: that made them.
    """
    along = reduction.components @ reduction.mean
    beside = reduction.mean.square().sum() - along.square().sum()
    return pad(vector + along, (0, 1), value=float((1 + beside.clamp_min(0)).sqrt()))
