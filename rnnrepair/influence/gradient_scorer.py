"""What all scorers by gradients do alike."""

from abc import abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.gradients import LossGradients, Parts
from rnnrepair.influence.method import Scorer
from rnnrepair.influence.ranking import Ranking, rank_rows
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces

# Training sequences that are fetched at a time.
FETCHED = 1000


def check_gradients(name: str, network: TracedNetwork, batch: SequenceBatch) -> None:
    """Refuse a network whose gradients are not known.

    Args:
        name: of the method, for the message.
        network: verified.
        batch: a few sequences.

    Raises:
        ConfigurationError: it has other layers, does something else with those, or none is trained.
    """
    gradients = LossGradients(Parts.of(network.module))
    logits, found = network.predict([batch]).logits, gradients.logits(batch).cpu()
    if logits is None or not torch.allclose(logits, found, rtol=1e-3, atol=1e-4):
        raise ConfigurationError(
            f"{name} reads the logits that a linear layer makes of the last state, and "
            f"{type(network.module).__name__} answers something else: choose another influence "
            "method."
        )


class GradientScorer(Scorer):
    """Base of scorers that say how each training sample moves the loss of a query.

    The losses are those of the labels, so what raises a failure's loss pushes it towards a wrong
    prediction.
    """

    def __init__(self, view: TrainingView, seed: int = 0) -> None:
        """Take N training samples; the seed is that of the order of ties."""
        self._view = view
        self._order = tie_order(view.traces.index, seed)

    @override
    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Rank training samples by how far they move each query's loss: distance = - |score|."""
        everyone = torch.arange(len(self._view))
        rows = everyone if allowed is None else allowed.nonzero()[:, 0]
        distance = torch.full((len(queries), len(everyone)), torch.inf)
        distance[:, rows] = -self.scores(queries, rows).abs()
        return rank_rows(distance, self._order, top, allowed)

    @abstractmethod
    def group_scores(self, queries: Traces) -> Tensor:
        """Return (N,) float32, the mean of ``scores`` over M queries, at the cost of one query."""

    def _batches(self, rows: Tensor | None = None) -> Iterator[SequenceBatch]:
        """Yield training sequences in the order of their rows, all N where None."""
        index = self._view.traces.index
        for part in (index if rows is None else index[rows]).split(FETCHED):
            yield self._view.fetch(part)
