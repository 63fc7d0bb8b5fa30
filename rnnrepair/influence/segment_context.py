"""Influence of training samples that come to where a failure goes wrong."""

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.contexts import ContextIndex
from rnnrepair.influence.method import NearScorer
from rnnrepair.influence.need import Need
from rnnrepair.influence.segments import responsible_step
from rnnrepair.influence.view import TrainingView
from rnnrepair.sequences import Kind
from rnnrepair.traces import Traces


class SegmentContext(AnyNetwork):
    """Influence as the way that a training sample shares to the failure's responsible step.

    It costs a look-up of the steps that come to the same state, and no pass of the network.

    Source: RNNRepair section 4.4.
    """

    name = "segment"
    fits = frozenset({Kind.TOKENS})
    needs = frozenset({Need.TRACES, Need.TOKENS})

    def fit(self, view: TrainingView) -> "SegmentScorer":
        """Index the transitions of the training traces.

        Raises:
            ConfigurationError: the traces hold no tokens.
        """
        return SegmentScorer(view.traces, self.seed)


class SegmentScorer(NearScorer):
    """Distance: 1 / (1 + run), of the run of transitions, tokens included, that both share.

    It ends where the query's prediction leaves the truth for good. Samples that do not even come
    to the state there are infinitely far, and never ranked.
    """

    def __init__(self, traces: Traces, seed: int = 0) -> None:
        """Index N training traces with tokens; the seed is that of the order of ties."""
        super().__init__(traces, seed)
        self.index = ContextIndex(traces, seed)

    @override
    def distances(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        runs = self.index.runs(queries, responsible_step(queries))
        distance = torch.where(runs >= 0, 1 / (1 + runs.clamp_min(0)), torch.inf)
        return distance if rows is None else distance[:, rows]
