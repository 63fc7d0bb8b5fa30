"""Influence as similarity of temporal features."""

from typing import Annotated

from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.distance import Distance, StepDistance, step_distance
from rnnrepair.influence.method import NearScorer
from rnnrepair.influence.need import Need
from rnnrepair.influence.ranking import Ranking, TraceIndex
from rnnrepair.influence.view import TrainingView
from rnnrepair.settings import check_settings, one_of
from rnnrepair.traces import Traces


class TraceSimilarity(AnyNetwork):
    """Influence as similarity of temporal features.

    It costs a table look-up for every run of steps that training traces share, and no pass of the
    network.

    Source: RNNRepair equation 3.
    """

    name = "similarity"
    needs = frozenset({Need.TRACES})

    def __init__(
        self, distance: Annotated[str, one_of(Distance)] = Distance.ALIGNED, seed: int = 0
    ) -> None:
        """Choose the distance.

        Args:
            distance: ``aligned`` or ``paper``, see ``step_distance``.
            seed: of the order of ties.

        Raises:
            SettingsError: unknown distance.
        """
        check_settings(TraceSimilarity, locals())
        self.distance = Distance(distance)
        super().__init__(seed)

    def fit(self, view: TrainingView) -> "TraceScorer":
        """Prepare the training traces."""
        return TraceScorer(view.traces, step_distance(view.model, self.distance), self.seed)


class TraceScorer(NearScorer):
    """Distances between traces, by table look-up (see ``TraceIndex``)."""

    def __init__(self, traces: Traces, distance: StepDistance, seed: int = 0) -> None:
        """Take N training traces; the seed is that of the order of ties."""
        super().__init__(traces, seed)
        self.distance = distance
        self.seed = seed
        self._index: TraceIndex | None = None

    @override
    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Rank the training traces by their distance to each query."""
        return self._index_for(queries).rank(queries, top, allowed)

    @override
    def distances(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        return self._index_for(queries).distances(queries, rows).T

    def _index_for(self, queries: Traces) -> TraceIndex:
        """Return an index for the steps of the longest query: those of the first are enough."""
        longest = int(queries.lengths.max()) if len(queries) else 1
        if self._index is None or self._index.n_steps < longest:
            self._index = TraceIndex(self.traces, self.distance, longest, self.seed)
        return self._index
