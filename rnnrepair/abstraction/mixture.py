"""Gaussian mixtures: fitted by scikit-learn on a sample, applied to everything by torch."""

import math
import warnings
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from torch import Tensor

from rnnrepair.errors import ConfigurationError

# Variance floor as a share of the data's mean variance: absolute floors fail on GRU states.
RELATIVE_VARIANCE_FLOOR = 1e-4
# Points assigned at a time: their log densities then stay in the processor's cache.
ASSIGN_CHUNK = 2**12


class Family(StrEnum):
    """What a mixture was fitted as; it decides how many parameters are free."""

    DIAGONAL = "diagonal"
    FULL = "full"
    TIED = "tied"
    CENTROIDS = "centroids"


@dataclass(frozen=True)
class Mixture:
    """K Gaussian components over k dimensions.

    Attributes:
        log_weight: (K,) float64.
        mean: (K, k) float64.
        variance: (K, k) float64.
        converged: whether EM met its tolerance.
        n_iter: EM iterations made.
        precision_cholesky: (K, k, k) float64 where covariances are not diagonal: upper factors
            whose product with their transpose is the inverse covariance.
        family: what was fitted, see ``Family``.
    """

    log_weight: Tensor
    mean: Tensor
    variance: Tensor
    converged: bool
    n_iter: int
    precision_cholesky: Tensor | None = None
    family: Family = Family.DIAGONAL

    @classmethod
    def of_diagonal(cls, model: GaussianMixture | BayesianGaussianMixture) -> "Mixture":
        """Return the mixture that scikit-learn has fitted with diagonal covariances."""
        return cls(
            torch.from_numpy(model.weights_).clamp_min(1e-300).log(),
            torch.from_numpy(model.means_),
            torch.from_numpy(model.covariances_),
            bool(model.converged_),
            int(model.n_iter_),
        )

    @classmethod
    def of_centroids(cls, centroid: Tensor, converged: bool, n_iter: int) -> "Mixture":
        """Return the mixture whose most probable component is the nearest of (K, k) centroids."""
        weight = torch.full((len(centroid),), -math.log(len(centroid)), dtype=torch.float64)
        unit = torch.ones_like(centroid)
        return cls(weight, centroid, unit, converged, n_iter, family=Family.CENTROIDS)

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.mean)

    def log_joint(self, x: Tensor) -> Tensor:
        """Return (n, K) log of weight times density of (n, k) points, in the points' precision."""
        if self.precision_cholesky is not None:
            return self._log_joint_full(x, self.precision_cholesky)
        # -(x - m)^2 / 2v is linear in (x, x^2): one matrix product does all components.
        precision = 1 / self.variance
        slope = torch.cat([self.mean * precision, -0.5 * precision], dim=1)
        constant = (
            self.log_weight
            - 0.5 * (self.mean**2 * precision + self.variance.log()).sum(1)
            - 0.5 * self.mean.shape[1] * math.log(2 * math.pi)
        )
        return torch.addmm(constant.to(x), torch.cat([x, x**2], dim=1), slope.T.to(x))

    def _log_joint_full(self, x: Tensor, cholesky: Tensor) -> Tensor:
        white = torch.einsum("nk,mkj->nmj", x, cholesky.to(x))
        white -= torch.einsum("mk,mkj->mj", self.mean, cholesky).to(x)
        constant = (
            self.log_weight
            + cholesky.diagonal(dim1=1, dim2=2).log().sum(1)
            - 0.5 * self.mean.shape[1] * math.log(2 * math.pi)
        )
        return constant.to(x) - 0.5 * white.square().sum(2)

    def assign(self, x: Tensor) -> Tensor:
        """Return (n,) int64, the most probable component of each of (n, k) points."""
        return torch.cat([self.log_joint(part).argmax(1) for part in x.split(ASSIGN_CHUNK)])

    def assign_and_score(self, x: Tensor) -> tuple[Tensor, float]:
        """Return the (n,) components of ``assign`` and the log-likelihood, in one pass."""
        states, scores = [], []
        for part in x.split(ASSIGN_CHUNK):
            joint = self.log_joint(part)
            states.append(joint.argmax(1))
            scores.append(float(joint.logsumexp(1).double().sum()))
        return torch.cat(states), math.fsum(scores)

    def bic(self, x: Tensor) -> float:
        """Return the Bayesian information criterion on (n, k) points (smaller is better)."""
        loglik = math.fsum(
            float(self.log_joint(part.double()).logsumexp(1).sum())
            for part in x.split(ASSIGN_CHUNK)
        )
        return self.bic_of(loglik, len(x))

    def bic_of(self, log_likelihood: float, n_points: int) -> float:
        """Return the criterion from the log-likelihood of that many points.

        NaN for centroids, which have no likelihood.

        Source: docs/method.md 3.3: ``-2 loglik + p ln n``, p = 2 K k + K - 1 for diagonal
        covariances.
        """
        return -2 * log_likelihood + self.n_parameters * math.log(n_points)

    @property
    def n_parameters(self) -> float:
        """Free parameters; NaN for centroids."""
        k, dims = self.mean.shape
        covariances = {
            Family.DIAGONAL: k * dims,
            Family.FULL: k * dims * (dims + 1) / 2,
            Family.TIED: dims * (dims + 1) / 2,
            Family.CENTROIDS: math.nan,
        }
        return covariances[self.family] + k * dims + k - 1

    def renumbered(self, new_id: Tensor) -> "Mixture":
        """Return the mixture in which component ``i`` is called ``new_id[i]``."""
        order = new_id.argsort()
        return Mixture(
            self.log_weight[order],
            self.mean[order],
            self.variance[order],
            self.converged,
            self.n_iter,
            None if self.precision_cholesky is None else self.precision_cholesky[order],
            self.family,
        )


def count_distinct(points: Tensor, enough: int) -> int:
    """Return how many of the (n, k) points are different, counted up to ``enough``.

    Example:
        >>> points = torch.tensor([[0.0], [1.0], [1.0]])
        >>> count_distinct(points, 9), count_distinct(points, 1)
        (2, 1)
    """
    # Almost always a few points tell; to count all of many takes as long as a k-means.
    few = len(np.unique(points[: 1000 + 20 * enough].numpy(), axis=0))
    return enough if few >= enough else min(len(np.unique(points.numpy(), axis=0)), enough)


def check_distinct(points: Tensor, n_components: int, key: str = "n_components") -> None:
    """Refuse more components than there are different points (n, k).

    Raises:
        ConfigurationError: names the argument ``key``.
    """
    n_distinct = count_distinct(points, n_components)
    if n_components > n_distinct:
        raise ConfigurationError(
            f"{key}={n_components} is larger than the number of different hidden states in the "
            f"sample ({n_distinct}): lower it, or raise fit_states."
        )


def variance_floor(x: np.ndarray) -> float:
    """Return the least variance of a component, relative to that of the points (n, k)."""
    return max(RELATIVE_VARIANCE_FLOOR * float(x.var(0).mean()), 1e-12)


def fit_mixture(
    points: Tensor,
    n_components: int,
    seed: int,
    *,
    previous_state: Tensor | None = None,
    max_iter: int = 100,
    tol: float = 1e-3,
) -> Mixture:
    """Fit a diagonal Gaussian mixture by expectation maximisation.

    With ``previous_state`` EM starts from the states that these same steps had at the last
    analysed epoch (one maximisation step with hard assignments). That survives any rotation of
    the principal axes and any drift of the hidden units, which carrying means over would not.
    Components that have died are started anew on random points.

    Args:
        points: (n, k) reduced hidden states.
        n_components: K.
        seed: of the k-means start and of reborn components.
        previous_state: (n,) int64 states at the last analysed epoch, or None for a cold start.
        max_iter: EM iterations at most.
        tol: EM stops when the mean log-likelihood gains less.

    Raises:
        ConfigurationError: K is larger than the number of different points.
    """
    check_distinct(points, n_components)
    x = points.double().numpy()
    floor = variance_floor(x)
    start = {}
    if previous_state is not None:
        start = _start_from_states(x, previous_state.numpy(), n_components, floor, seed)
    model = GaussianMixture(
        n_components,
        covariance_type="diag",
        reg_covar=floor,
        tol=tol,
        max_iter=max_iter,
        init_params="random_from_data" if start else "kmeans",
        random_state=seed % 2**32,
        **start,
    )
    with warnings.catch_warnings():
        # Whether it converged is reported in the result, epoch by epoch.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x)
    return Mixture.of_diagonal(model)


def _start_from_states(
    x: np.ndarray, state: np.ndarray, n_components: int, floor: float, seed: int
) -> dict[str, np.ndarray]:
    """One maximisation step with hard assignments; states with too few points are reborn."""
    rng = np.random.default_rng(seed)
    count = np.bincount(state, minlength=n_components).astype(float)
    one_hot_mean = (
        np.stack([np.bincount(state, column, n_components) for column in x.T], axis=1)
        / np.maximum(count, 1)[:, None]
    )
    square = (
        np.stack([np.bincount(state, column**2, n_components) for column in x.T], axis=1)
        / np.maximum(count, 1)[:, None]
    )
    variance = np.maximum(square - one_hot_mean**2, 0) + floor
    dead = np.flatnonzero(count <= x.shape[1])
    one_hot_mean[dead] = x[rng.choice(len(x), len(dead), replace=False)]
    variance[dead] = x.var(0) / n_components + floor
    count[dead] = max(1.0, count.mean() / 10)
    return {
        "weights_init": count / count.sum(),
        "means_init": one_hot_mean,
        "precisions_init": 1 / variance,
    }
