"""Influence as the product of two loss gradients: TracIn."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.gradients import LossGradients
from rnnrepair.influence.method import Scorer
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

    It reads a network of one LSTM layer and a linear layer on its last state, and nothing else
    with parameters. It costs a backward pass for every training sample and query.

    Source: Pruthi et al., "Estimating Training Data Influence by Tracing Gradient Descent", 2020.
    """

    name = "tracin"
    fits = frozenset({Kind.SERIES, Kind.IMAGE})

    def __init__(self, seed: int = 0) -> None:
        """Choose the seed of the order of ties."""
        self.seed = seed

    def check(self, network: TracedNetwork, batch: SequenceBatch) -> None:
        """Refuse other networks.

        Raises:
            ConfigurationError: it has other layers, or does something else with those.
        """
        gradients = LossGradients(*_layers(network.module))
        logits, found = network.predict([batch]).logits, gradients.logits(batch).cpu()
        if logits is None or not torch.allclose(logits, found, rtol=1e-3, atol=1e-4):
            raise ConfigurationError(
                "TracIn reads the logits that a linear layer makes of the LSTM's last state, and "
                f"{type(network.module).__name__} answers something else: choose another influence "
                "method."
            )

    def fit(self, view: TrainingView) -> "TracInScorer":
        """Keep the view: gradients are computed when they are asked for.

        Raises:
            ConfigurationError: see ``check``.
        """
        return TracInScorer(LossGradients(*_layers(view.network.module)), view, self.seed)


class TracInScorer(Scorer):
    """Products of gradients of training samples with those of queries."""

    def __init__(self, gradients: LossGradients, view: TrainingView, seed: int = 0) -> None:
        """Take N training samples; the seed is that of the order of ties."""
        self._gradients = gradients
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
        return -self._gradients.products(self._batches(rows), inputs).cpu()

    def own(self) -> Tensor:
        """Return (N,) squared norm of each sample's gradient: what it does to its own loss."""
        parts = [self._gradients.squared_norms(batch) for batch in self._batches(None)]
        return torch.cat(parts).cpu()

    def _batches(self, rows: Tensor | None) -> Iterator[SequenceBatch]:
        index = self._view.traces.index
        for part in (index if rows is None else index[rows]).split(FETCHED):
            yield self._view.fetch(part)


def _layers(module: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Return the LSTM and the head."""
    own = {
        name: part
        for name, part in module.named_modules()
        if next(part.parameters(recurse=False), None) is not None
    }
    recurrent = [part for part in own.values() if isinstance(part, nn.LSTM)]
    heads = [part for part in own.values() if isinstance(part, nn.Linear)]
    if len(own) != 2 or len(recurrent) != 1 or len(heads) != 1:
        told = {name or "itself": type(part).__name__ for name, part in own.items()}
        raise ConfigurationError(
            "TracIn reads a network of one nn.LSTM and one nn.Linear on its last state, and the "
            f"parameters of {type(module).__name__} are those of {told}: choose another influence "
            "method."
        )
    return recurrent[0], heads[0]
