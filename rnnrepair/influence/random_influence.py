"""Influence by chance: what every other method has to beat."""

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.method import NearScorer, Scorer
from rnnrepair.influence.view import TrainingView
from rnnrepair.seeding import torch_generator
from rnnrepair.traces import Traces


class RandomInfluence(AnyNetwork):
    """Scores drawn at random, for each failure anew. It costs nothing.

    Source: ours.
    """

    name = "random"

    def __init__(self, by_label: bool = False, seed: int = 0) -> None:
        """Choose what is drawn.

        Args:
            by_label: only samples of the label that a failure is mistaken for push towards it, and
                only those of its true label away from it: what the labels alone can tell.
            seed: of the draws.
        """
        self.by_label = by_label
        super().__init__(seed)

    def fit(self, view: TrainingView) -> Scorer:
        """Take the training samples."""
        kind = RandomNearness if self.by_label else RandomScorer
        return kind(view.traces, self.seed)


class RandomNearness(NearScorer):
    """Distances in [0, 1), drawn at random for each query."""

    def __init__(self, traces: Traces, seed: int = 0) -> None:
        """Take the traces of N training samples, and the seed of the draws."""
        super().__init__(traces, seed)
        self._seed = seed

    @override
    def distances(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        drawn = [
            torch.rand(len(self.traces), generator=torch_generator(self._seed, "random", index))
            for index in queries.index.tolist()
        ]
        distance = torch.stack(drawn) if drawn else torch.empty(0, len(self.traces))
        return distance if rows is None else distance[:, rows]


class RandomScorer(RandomNearness):
    """Scores in (-1, 1), whatever the labels."""

    @override
    def scores(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        return 1 - 2 * self.distances(queries, rows)

    @override
    def own(self) -> Tensor:
        # By the number of the sample, so that injected ones change that of no other.
        index = self.traces.index
        n_numbers = int(index.max()) + 1 if len(index) else 0
        return torch.rand(n_numbers, generator=torch_generator(self._seed, "random"))[index]
