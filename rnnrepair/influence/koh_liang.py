"""Influence by the inverse curvature of the training loss: influence functions."""

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.gradient_scorer import FETCHED, GradientScorer, check_gradients
from rnnrepair.influence.gradients import Curvature, LossGradients, Parts
from rnnrepair.influence.gradients.conjugate_gradient import conjugate_gradient, not_positive
from rnnrepair.influence.need import Need
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import TracedNetwork
from rnnrepair.seeding import derive_seed, torch_generator
from rnnrepair.sequences import Kind, SequenceBatch
from rnnrepair.settings import Count, ProperShare, above, check_settings, one_of
from rnnrepair.traces import Traces

log = logging.getLogger(__name__)

# Queries that are solved for together: they share the work that does not depend on them.
SOLVED_TOGETHER = 16
# Share of the damping that the largest curvature left out may have before `own` warns.
LEFT_OUT = 0.5


class CurvatureKind(StrEnum):
    """Which matrix says how the training loss curves."""

    GAUSS_NEWTON = "gauss_newton"
    HESSIAN = "hessian"


class KohLiang:
    """Influence as what a network trained without the sample would answer, to first order.

    With g the gradient of a query's loss, g_j that of training sample j, H the curvature of the
    mean training loss and n training samples, removing j changes the query's loss by
    (1/n) <(H + damping)^-1 g, g_j>, in nats. A score is the negative of that: what having the
    sample does.

    It reads the networks that ``TracIn`` reads. A query costs as many products with the curvature
    as conjugate gradients needs, each about 3 (Gauss-Newton) or 5 (Hessian) backward passes over
    the samples that the curvature is taken on, and one backward pass for every training sample.

    Source: Koh and Liang, "Understanding Black-box Predictions via Influence Functions", 2017.
    """

    name = "koh_liang"
    fits = frozenset(Kind)
    needs = frozenset({Need.GRADIENTS})

    def __init__(
        self,
        curvature: Annotated[str, one_of(CurvatureKind)] = CurvatureKind.GAUSS_NEWTON,
        damping: Annotated[float, above(0)] = 0.1,
        samples: Count | None = None,
        tolerance: ProperShare = 1e-3,
        max_iterations: Count = 100,
        own_directions: Count = 50,
        seed: int = 0,
    ) -> None:
        """Choose the curvature, and how exactly systems are solved.

        Args:
            curvature: ``gauss_newton`` or ``hessian``; the latter may need more damping.
            damping: added to the curvature, as published; a minimum is not reached exactly, and
                most directions have no curvature.
            samples: training samples that the curvature is taken on, drawn once at random; all
                where None. Influence is that of all samples anyway.
            tolerance: residual at which a system is solved, relative to the gradient.
            max_iterations: products a query at most; a warning tells the residual if they do not
                do.
            own_directions: of largest curvature, that ``own`` inverts exactly.
            seed: of those samples, and of the order of ties.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(KohLiang, locals())
        self.curvature = CurvatureKind(curvature)
        self.damping = damping
        self.samples = samples
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.own_directions = own_directions
        self.seed = seed

    def check(self, network: TracedNetwork, batch: SequenceBatch) -> None:
        """Refuse other networks.

        Raises:
            ConfigurationError: it has other layers, or does something else with those.
        """
        check_gradients("KohLiang", network, batch)

    def fit(self, view: TrainingView) -> "KohLiangScorer":
        """Keep the weights: systems are solved when they are asked for.

        Raises:
            ConfigurationError: see ``check``.
        """
        return KohLiangScorer(view, self)


class KohLiangScorer(GradientScorer):
    """Effects of training samples on queries by inverse curvature.

    Attributes:
        residual: largest relative residual of the systems solved last, None before.
    """

    def __init__(self, view: TrainingView, settings: KohLiang) -> None:
        """Take N training samples and the settings."""
        super().__init__(view, settings.seed)
        parts = Parts.of(view.network.module)
        self._settings = settings
        self._gradients = LossGradients(parts)
        self._curvature = Curvature(parts)
        self._weights = self._curvature.layout.flat(
            {name: weight.detach().clone() for name, weight in parts.trained().items()}
        )
        self._sampled = self._view.traces.index
        if settings.samples is not None and settings.samples < len(self._sampled):
            generator = torch_generator(settings.seed, "curvature")
            drawn = torch.randperm(len(self._sampled), generator=generator)[: settings.samples]
            self._sampled = self._sampled[drawn]
            log.info(
                "The curvature is taken on %d of %d training samples, drawn at random.",
                len(drawn),
                len(view),
            )
        self.residual: float | None = None

    @override
    def scores(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        """Return (M, n): nats by which having the sample changes each query's loss."""
        parts = [
            self._effect(self._gradients_of(index), rows)
            for index in queries.index.split(SOLVED_TOGETHER)
        ]
        return torch.cat(parts)

    @override
    def group_scores(self, queries: Traces) -> Tensor:
        summed = self._curvature.gradient(self._weights, self._view.fetch(queries.index))
        return self._effect(summed[None] / len(queries))[0]

    @override
    def own(self) -> Tensor:
        """Return (N,): nats by which removing each sample raises its own loss.

        Solving N systems would take too long: the curvature is inverted in the directions in which
        it is largest, and taken for 0 in others. A warning says where that is too coarse.

        Raises:
            ConfigurationError: the damped curvature is not positive definite.
        """
        damping = self._settings.damping
        squares = torch.cat([self._gradients.squared_norms(b) for b in self._batches()])
        value, vector = self._largest()
        along = self._gradients.along(
            self._batches(), self._gradients.directions_of(self._curvature.layout.named(vector))
        )
        less = 1 / damping - 1 / (value + damping)
        return ((squares / damping - less @ along.square()) / len(self._view)).float().cpu()

    def _gradients_of(self, index: Tensor) -> Tensor:
        """Return the (m, P) gradients of queries."""
        return self._curvature.layout.flat(self._gradients.gradients(self._view.fetch(index)))

    def _effect(self, gradient: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return (m, n) scores for (m, P) gradients of queries."""
        settings = self._settings
        solved = conjugate_gradient(
            self._damped, gradient, settings.tolerance, settings.max_iterations
        )
        self.residual = float(solved.residual.max())
        # Of the solution itself: rounding keeps it a little above that of the recursion.
        if self.residual > 2 * settings.tolerance:
            log.warning(
                "Influence by inverse curvature has not converged: the relative residual is %.2g "
                "after %d iterations, tolerance=%.2g. Raise max_iterations or damping.",
                self.residual,
                solved.iterations,
                settings.tolerance,
            )
        named = self._curvature.layout.named(solved.solution)
        found = self._gradients.along(self._batches(rows), self._gradients.directions_of(named))
        return -found.float().cpu() / len(self._view)

    def _damped(self, directions: Tensor) -> Tensor:
        return self._curved(directions) + self._settings.damping * directions

    def _curved(self, directions: Tensor) -> Tensor:
        """Return (m, P) products with the curvature of the mean training loss."""
        total = torch.zeros_like(directions)
        multiply = self._multiply()
        for index in self._sampled.split(FETCHED):
            total += multiply(self._view.fetch(index), directions)
        return total / len(self._sampled)

    def _multiply(self) -> Callable[[SequenceBatch, Tensor], Tensor]:
        if self._settings.curvature == CurvatureKind.HESSIAN:
            return lambda batch, v: self._curvature.hessian_products(self._weights, batch, v)[0]
        return lambda batch, v: self._curvature.gauss_newton_products(self._weights, batch, v)

    def _largest(self) -> tuple[Tensor, Tensor]:
        """Return (k,) largest curvatures, and the (k, P) directions that have them."""
        weights = self._weights
        size = len(weights)
        k = min(self._settings.own_directions, size - 1)

        def product(vector: np.ndarray) -> np.ndarray:
            direction = torch.from_numpy(vector.reshape(1, -1)).to(weights)
            return self._curved(direction)[0].double().cpu().numpy()

        operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
        start = np.random.default_rng(derive_seed(self._settings.seed, "eigen")).normal(size=size)
        value, vector = eigsh(operator, k, v0=start, tol=1e-4)
        if float(value.min()) <= -self._settings.damping:
            raise not_positive()
        smallest = float(np.abs(value).min())
        if smallest > LEFT_OUT * self._settings.damping:
            log.warning(
                "Self-influence takes curvatures of up to %.2g for 0, beside a damping of %.2g: "
                "raise own_directions.",
                smallest,
                self._settings.damping,
            )
        return torch.from_numpy(value).to(weights), torch.from_numpy(vector.T.copy()).to(weights)
