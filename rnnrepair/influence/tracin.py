"""Influence as the product of two loss gradients: TracIn."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.gradient_scorer import GradientScorer, check_gradients
from rnnrepair.influence.gradients import LossGradients, Parts
from rnnrepair.influence.gradients.directions import Directions
from rnnrepair.influence.kept_checkpoints import KeptWeights, kept_weights
from rnnrepair.influence.need import Need
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import Kind, SequenceBatch
from rnnrepair.traces import Traces

log = logging.getLogger(__name__)


class TracIn:
    """Influence as the product of two loss gradients over all trained parameters.

    At one checkpoint, the network as it is, a score is how fast a gradient step on the training
    sample raises the loss of the query, in nats per unit of learning rate. At several, it is the
    sum over the checkpoints, each times its learning rate: in nats, per step on the sample.

    It reads a network of an LSTM, GRU or RNN in one direction, of any number of layers, and a
    linear layer on its last state, with an embedding for tokens, and nothing else with parameters.
    It costs a backward pass for every training sample and query at every checkpoint.

    Source: Pruthi et al., "Estimating Training Data Influence by Tracing Gradient Descent", 2020.
    """

    name = "tracin"
    fits = frozenset(Kind)
    needs = frozenset({Need.GRADIENTS})

    def __init__(
        self,
        cosine: bool = False,
        checkpoints: str | Path | Sequence[str | Path] | None = None,
        seed: int = 0,
    ) -> None:
        """Choose how gradients are compared, and when.

        Args:
            cosine: divide by the norms of both, so that samples of large loss do not come first
                everywhere.
            checkpoints: of the same training: files, or a folder with them, which may fill while
                the network is trained. They are loaded safely. The network as it is counts too,
                at the rate of the last of them. None: the network as it is alone, at rate 1.
            seed: of the order of ties.
        """
        self.cosine = cosine
        self.checkpoints = checkpoints
        self.seed = seed

    def check(self, network: TracedNetwork, batch: SequenceBatch) -> None:
        """Refuse other networks.

        Raises:
            ConfigurationError: it has other layers, or does something else with those.
        """
        check_gradients("TracIn", network, batch)

    def fit(self, view: TrainingView) -> "TracInScorer":
        """Keep the weights: gradients are computed when they are asked for.

        Raises:
            ConfigurationError: see ``check``.
            IncompatibleCheckpointError: a checkpoint is of another network, cannot be loaded
                safely, or says no learning rate.
        """
        module = view.network.module
        parts = Parts.of(module)
        if self.checkpoints is None:
            return TracInScorer([_Moment(LossGradients(parts), 1.0)], view, self.cosine, self.seed)
        kept = kept_weights(self.checkpoints, module)
        moments = [_Moment(LossGradients(parts, each.weights), each.rate) for each in kept]
        if not kept or not _is_now(kept[-1], parts):
            moments.append(_Moment(LossGradients(parts), kept[-1].rate if kept else 1.0))
        log.info("TracIn sums over %d moments of the training.", len(moments))
        return TracInScorer(moments, view, self.cosine, self.seed)


@dataclass(frozen=True)
class _Moment:
    """Gradients at one checkpoint, and its learning rate."""

    gradients: LossGradients
    rate: float


def _is_now(kept: KeptWeights, parts: Parts) -> bool:
    """Return whether the network still has these weights."""
    return all(
        torch.equal(kept.weights[name], weight.detach().cpu())
        for name, weight in parts.parameters().items()
    )


class TracInScorer(GradientScorer):
    """Products of gradients of training samples with those of queries."""

    def __init__(
        self, moments: Sequence[_Moment], view: TrainingView, cosine: bool = False, seed: int = 0
    ) -> None:
        """Take N training samples; the rest as for ``TracIn``."""
        super().__init__(view, seed)
        self._moments = moments
        self._cosine = cosine

    @override
    def scores(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        """Return (M, n): how a step on the training sample raises each query's loss."""
        inputs = self._view.fetch(queries.index)
        parts = [
            self._along(moment, moment.gradients.directions(inputs, unit=self._cosine), rows)
            for moment in self._moments
        ]
        return torch.stack(parts).sum(0)

    @override
    def group_scores(self, queries: Traces) -> Tensor:
        inputs = self._view.fetch(queries.index)
        parts = [
            self._along(moment, moment.gradients.directions(inputs, unit=self._cosine).mean())
            for moment in self._moments
        ]
        return torch.stack(parts).sum(0)[0]

    @override
    def own(self) -> Tensor:
        """Return (N,) what each sample does to its own loss.

        That is the squared norm of its gradient, times the learning rate, summed over checkpoints.
        """
        parts = [
            moment.rate
            * torch.cat([moment.gradients.squared_norms(b) for b in self._batches()]).float().cpu()
            for moment in self._moments
        ]
        return torch.stack(parts).sum(0)

    def _along(self, moment: _Moment, directions: Directions, rows: Tensor | None = None) -> Tensor:
        """Return (M, n) scores of one moment."""
        found = moment.gradients.along(self._batches(rows), directions, cosine=self._cosine)
        return -moment.rate * found.float().cpu()
