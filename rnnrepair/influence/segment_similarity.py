"""Influence as similarity of traces over the steps where a failure goes wrong."""

from typing import Annotated

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.distance import Distance, StepDistance, step_distance
from rnnrepair.influence.method import NearScorer
from rnnrepair.influence.segments import responsible_segment
from rnnrepair.influence.view import TrainingView
from rnnrepair.settings import check_settings, one_of
from rnnrepair.traces import Traces


class SegmentSimilarity(AnyNetwork):
    """Influence as similarity of traces over the responsible segment alone.

    It costs a table look-up for every step of the segment and every training sample.

    Source: ours, after RNNRepair equation 3 and section 4.4.
    """

    name = "segment_trace"

    def __init__(
        self, distance: Annotated[str, one_of(Distance)] = Distance.ALIGNED, seed: int = 0
    ) -> None:
        """Choose the distance of steps.

        Args:
            distance: see ``step_distance``.
            seed: of the order of ties.

        Raises:
            SettingsError: unknown distance.
        """
        check_settings(SegmentSimilarity, locals())
        self.distance = Distance(distance)
        super().__init__(seed)

    def fit(self, view: TrainingView) -> "SegmentTraceScorer":
        """Prepare the training traces."""
        distance = step_distance(view.model, self.distance)
        return SegmentTraceScorer(view.traces, distance, view.model.confidence, self.seed)


class SegmentTraceScorer(NearScorer):
    """Mean distance of the steps of the segment to those that stand in their place."""

    def __init__(
        self, traces: Traces, distance: StepDistance, confidence: Tensor, seed: int = 0
    ) -> None:
        """Take N training traces.

        Args:
            traces: of training samples.
            distance: of two steps.
            confidence: (K, C) of the abstract model.
            seed: of the order of ties.
        """
        super().__init__(traces, seed)
        self._distance = distance
        self._confidence = confidence

    @override
    def distances(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        train = self.traces if rows is None else self.traces.select(rows)
        n_steps = max(int(t.lengths.max()) for t in (train, queries)) if len(queries) else 1
        table = self._distance.exact(n_steps)
        # One column a step, so that a step of all training samples is one block of memory.
        there = self._distance.padded(train, n_steps).T.contiguous().long()
        here = self._distance.padded(queries, n_steps).long()
        shift = n_steps - queries.lengths if self._distance.at_end else 0 * queries.lengths
        segment = responsible_segment(queries, self._confidence) + shift[:, None]
        found = torch.empty(len(queries), len(train))
        for query, (first, end) in enumerate(segment.tolist()):
            steps = zip(there[first:end], here[query, first:end], strict=True)
            total = torch.stack([table[own][codes] for codes, own in steps]).sum(0)
            found[query] = total / (end - first)
        return found
