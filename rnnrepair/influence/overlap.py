"""Influence as the share of a failure's transitions that a training sample takes too."""

from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.method import NearScorer
from rnnrepair.influence.need import Need
from rnnrepair.influence.transitions import TransitionIndex
from rnnrepair.influence.view import TrainingView
from rnnrepair.traces import Traces


class TransitionOverlap(AnyNetwork):
    """Influence as overlap of transitions.

    It costs a product of two sparse matrices of transitions, and no pass of the network.

    Source: RNNRepair equation 2, and "jcard" in its code.
    """

    name = "overlap"
    needs = frozenset({Need.TRACES})

    def fit(self, view: TrainingView) -> "OverlapScorer":
        """Index the transitions of the training traces."""
        return OverlapScorer(view.traces, self.seed)


class OverlapScorer(NearScorer):
    """Distance: the share of a query's transitions that a training sample lacks."""

    def __init__(self, traces: Traces, seed: int = 0) -> None:
        """Index N training traces; the seed is that of the order of ties."""
        super().__init__(traces, seed)
        self.index = TransitionIndex.build(traces)

    @override
    def distances(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        lacking = 1 - self.index.shared(queries) / queries.lengths[:, None]
        return lacking if rows is None else lacking[:, rows]
