"""Influence as nearness of the inputs, which knows no network."""

from collections.abc import Callable

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.inputs import input_distances
from rnnrepair.influence.method import NearScorer
from rnnrepair.influence.view import TrainingView
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces

# Training samples that are compared at a time: bounds the memory.
AT_A_TIME = 2000


class InputSimilarity(AnyNetwork):
    """Influence as nearness in pixels or readings, or in the counts of words.

    It costs a look at every input, and no network.

    Source: ours; what a method that reads the network has to beat.
    """

    name = "inputs"

    def fit(self, view: TrainingView) -> "InputScorer":
        """Take the training samples."""
        return InputScorer(view.traces, view.fetch_scaled, self.seed)


class InputScorer(NearScorer):
    """Distances between inputs, see ``input_distances``."""

    def __init__(
        self, traces: Traces, fetch: Callable[[Tensor], SequenceBatch], seed: int = 0
    ) -> None:
        """Take the traces of N training samples, and what fetches them by index."""
        super().__init__(traces, seed)
        self._fetch = fetch

    @override
    def distances(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        to_queries = input_distances(self.traces, queries, self._fetch)
        rows = torch.arange(len(self.traces)) if rows is None else rows
        return torch.cat([to_queries(part) for part in rows.split(AT_A_TIME)]).T
