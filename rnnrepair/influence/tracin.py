"""Influence as the product of two loss gradients: TracIn."""

from collections.abc import Iterator

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.gradients import LossGradients, Parts
from rnnrepair.influence.method import Scorer
from rnnrepair.influence.need import Need
from rnnrepair.influence.ranking import Ranking, rank_rows
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import Kind, SequenceBatch
from rnnrepair.traces import Traces

# Training sequences that are fetched at a time.
FETCHED = 1000


class TracIn:
    """Influence as the product of two loss gradients over all parameters, at one checkpoint.

    It reads a network of an LSTM, GRU or RNN in one direction, of any number of layers, and a
    linear layer on its last state, with an embedding for tokens, and nothing else with parameters.
    It costs a backward pass for every training sample and query.

    Source: Pruthi et al., "Estimating Training Data Influence by Tracing Gradient Descent", 2020.
    """

    name = "tracin"
    fits = frozenset(Kind)
    needs = frozenset({Need.GRADIENTS})

    def __init__(self, cosine: bool = False, seed: int = 0) -> None:
        """Choose how gradients are compared.

        Args:
            cosine: divide by the norms of both, so that samples of large loss do not come first
                everywhere.
            seed: of the order of ties.
        """
        self.cosine = cosine
        self.seed = seed

    def check(self, network: TracedNetwork, batch: SequenceBatch) -> None:
        """Refuse other networks.

        Raises:
            ConfigurationError: it has other layers, or does something else with those.
        """
        gradients = LossGradients(Parts.of(network.module))
        logits, found = network.predict([batch]).logits, gradients.logits(batch).cpu()
        if logits is None or not torch.allclose(logits, found, rtol=1e-3, atol=1e-4):
            raise ConfigurationError(
                "TracIn reads the logits that a linear layer makes of the last state, and "
                f"{type(network.module).__name__} answers something else: choose another influence "
                "method."
            )

    def fit(self, view: TrainingView) -> "TracInScorer":
        """Keep the view: gradients are computed when they are asked for.

        Raises:
            ConfigurationError: see ``check``.
        """
        gradients = LossGradients(Parts.of(view.network.module))
        return TracInScorer(gradients, view, self.cosine, self.seed)


class TracInScorer(Scorer):
    """Products of gradients of training samples with those of queries."""

    def __init__(
        self, gradients: LossGradients, view: TrainingView, cosine: bool = False, seed: int = 0
    ) -> None:
        """Take N training samples; the rest as for ``TracIn``."""
        self._gradients = gradients
        self._cosine = cosine
        self._view = view
        self._order = tie_order(view.traces.index, seed)

    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Rank training samples by how far they move each query's loss: distance = - |score|."""
        everyone = torch.arange(len(self._view))
        rows = everyone if allowed is None else allowed.nonzero()[:, 0]
        distance = torch.full((len(queries), len(everyone)), torch.inf)
        distance[:, rows] = -self.scores(queries, rows).abs()
        return rank_rows(distance, self._order, top, allowed)

    def scores(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        """Return (M, n): how fast a step on the training sample raises each query's loss.

        The learning rate, a common factor, is left out.
        """
        inputs = self._view.fetch(queries.index)
        batches = self._batches(rows)
        return -self._gradients.products(batches, inputs, cosine=self._cosine).cpu()

    def own(self) -> Tensor:
        """Return (N,) squared norm of each sample's gradient: what it does to its own loss."""
        parts = [self._gradients.squared_norms(batch) for batch in self._batches(None)]
        return torch.cat(parts).cpu()

    def _batches(self, rows: Tensor | None) -> Iterator[SequenceBatch]:
        index = self._view.traces.index
        for part in (index if rows is None else index[rows]).split(FETCHED):
            yield self._view.fetch(part)
