"""Influence through the whole course of a training by plain stochastic gradient descent."""

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.gradient_scorer import GradientScorer, check_gradients
from rnnrepair.influence.gradients import Curvature, LossGradients, Parts
from rnnrepair.influence.need import Need
from rnnrepair.influence.trajectory import Trajectory
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import Kind, SequenceBatch
from rnnrepair.traces import Traces

# Queries that are walked back with together.
WALKED_TOGETHER = 16


class SGDInfluence:
    """Influence as what the same training without the sample would have led to, to first order.

    The gradient u of a query's loss after the last step is carried back through all steps of all
    epochs, u <- u - rate H u, with H the Hessian of the mean loss of the step's batch S. At every
    step that sample j is in, leaving it out (its loss counts 0, the divisor stays |S|) changes the
    query's loss by rate / |S| <u, g_j>, in nats. A score is the negative of the sum: what having
    the sample has done.

    It reads the networks that ``TracIn`` reads, trained by ``torch.optim.SGD`` without momentum and
    weight decay on the mean cross entropy, every step of which a ``Trajectory`` holds. A walk costs
    about 5 times the training; queries share part of it, a group is one.

    Source: Hara, Nitanda and Maehara, "Data Cleansing for Models Trained with SGD", 2019.
    """

    name = "sgd_influence"
    fits = frozenset(Kind)
    needs = frozenset({Need.GRADIENTS, Need.TRAJECTORY})

    def __init__(self, seed: int = 0) -> None:
        """Take the seed of the order of ties."""
        self.seed = seed

    def check(self, network: TracedNetwork, batch: SequenceBatch) -> None:
        """Refuse other networks.

        Raises:
            ConfigurationError: it has other layers, or does something else with those.
        """
        check_gradients("SGDInfluence", network, batch)

    def fit(self, view: TrainingView) -> "SGDScorer":
        """Keep the trajectory: it is walked back when scores are asked for.

        Raises:
            ConfigurationError: the view has none, or one of another network, or see ``check``.
        """
        if view.trajectory is None:
            raise ConfigurationError(
                "SGDInfluence reads every step of the training, and nobody has recorded any: train "
                "with a TrajectoryRecorder among the callbacks, or choose another influence method."
            )
        return SGDScorer(view, view.trajectory, self.seed)


class SGDScorer(GradientScorer):
    """Effects of training samples on queries through every step of the training."""

    def __init__(self, view: TrainingView, trajectory: Trajectory, seed: int = 0) -> None:
        """Take N training samples and the steps.

        Raises:
            ConfigurationError: the trajectory does not end at the view's network.
        """
        super().__init__(view, seed)
        self._parts = Parts.of(view.network.module)
        self._curvature = Curvature(self._parts)
        trained = {name: weight.detach() for name, weight in self._parts.trained().items()}
        self._weights = self._curvature.layout.flat(trained).clone()
        if not torch.equal(trajectory.final.to(self._weights), self._weights):
            raise ConfigurationError(
                f"The trajectory of {len(trajectory)} steps does not end at the network that is "
                "analysed: give that of its own training, and the network as that training left it."
            )
        self._trajectory = trajectory
        index = view.traces.index
        self._row = torch.full((int(index.max()) + 1,), -1)
        self._row[index] = torch.arange(len(index))

    @override
    def scores(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        """Return (M, n): nats by which having the sample has changed each query's loss."""
        gradients = LossGradients(self._parts)
        parts = []
        for index in queries.index.split(WALKED_TOGETHER):
            named = gradients.gradients(self._view.fetch(index))
            parts.append(self._walk(self._curvature.layout.flat(named)))
        found = torch.cat(parts)
        return found if rows is None else found[:, rows]

    @override
    def group_scores(self, queries: Traces) -> Tensor:
        summed = self._curvature.gradient(self._weights, self._view.fetch(queries.index))
        return self._walk(summed[None] / len(queries))[0]

    @override
    def own(self) -> Tensor:
        """Return (N,): sum over its steps of rate / |S| times the squared norm of its gradient.

        What a sample does to its own loss, step by step: one walk a sample would take N times as
        long, so what happens to it later in the training is left out.
        """
        total = torch.zeros(len(self._view))
        layout = self._curvature.layout
        for step in self._trajectory.steps:
            gradients = LossGradients(self._parts, layout.named(step.weights.to(self._weights)))
            batch = self._view.fetch(step.index)
            share = step.rate / len(batch) * gradients.squared_norms(batch)
            self._add(total[None], step.index, share[None])
        return total

    def _walk(self, directions: Tensor) -> Tensor:
        """Return (m, N) scores for (m, P) gradients of queries after the last step."""
        total = torch.zeros(len(directions), len(self._view), dtype=directions.dtype)
        for step in reversed(self._trajectory.steps):
            batch = self._view.fetch(step.index)
            weights = step.weights.to(self._weights)
            curved, slopes = self._curvature.hessian_products(weights, batch, directions)
            share = step.rate / len(batch)
            self._add(total, step.index, -share * slopes)
            directions = directions - share * curved
        return total.float()

    def _add(self, total: Tensor, index: Tensor, values: Tensor) -> None:
        """Add (m, b) values to the columns of their samples; others are in the view no more."""
        row = self._row[index.clamp_max(len(self._row) - 1)]
        known = (row >= 0) & (index < len(self._row))
        total.index_add_(1, row[known], values.to("cpu", total.dtype)[:, known])
