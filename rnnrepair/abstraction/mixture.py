"""Diagonal Gaussian mixture: fitted by scikit-learn on a sample, applied to everything by torch."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

from rnnrepair.errors import ConfigurationError

# Variance floor as a share of the data's mean variance: absolute floors fail on GRU states.
RELATIVE_VARIANCE_FLOOR = 1e-4
# Points assigned at a time: their log densities then stay in the processor's cache.
ASSIGN_CHUNK = 2**12


@dataclass(frozen=True)
class Mixture:
    """K Gaussian components with diagonal covariance over k dimensions.

    Attributes:
        log_weight: (K,) float64.
        mean: (K, k) float64.
        variance: (K, k) float64.
        converged: whether EM met its tolerance.
        n_iter: EM iterations made.
    """

    log_weight: Tensor
    mean: Tensor
    variance: Tensor
    converged: bool
    n_iter: int

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.mean)

    def log_joint(self, x: Tensor) -> Tensor:
        """Return (n, K) log of weight times density of (n, k) points, in the points' precision."""
        # -(x - m)^2 / 2v is linear in (x, x^2): one matrix product does all components.
        precision = 1 / self.variance
        slope = torch.cat([self.mean * precision, -0.5 * precision], dim=1)
        constant = (
            self.log_weight
            - 0.5 * (self.mean**2 * precision + self.variance.log()).sum(1)
            - 0.5 * self.mean.shape[1] * math.log(2 * math.pi)
        )
        return torch.addmm(constant.to(x), torch.cat([x, x**2], dim=1), slope.T.to(x))

    def assign(self, x: Tensor) -> Tensor:
        """Return (n,) int64, the most probable component of each of (n, k) points."""
        return torch.cat([self.log_joint(part).argmax(1) for part in x.split(ASSIGN_CHUNK)])

    def bic(self, x: Tensor) -> float:
        """Return the Bayesian information criterion on (n, k) points (smaller is better).

        Source: experiments reference 3.3: ``-2 loglik + (2 K k + K - 1) ln n``.
        """
        loglik = math.fsum(
            float(self.log_joint(part.double()).logsumexp(1).sum())
            for part in x.split(ASSIGN_CHUNK)
        )
        n_parameters = 2 * self.mean.numel() + self.n_components - 1
        return -2 * loglik + n_parameters * math.log(len(x))

    def renumbered(self, new_id: Tensor) -> "Mixture":
        """Return the mixture in which component ``i`` is called ``new_id[i]``."""
        order = new_id.argsort()
        return Mixture(
            self.log_weight[order],
            self.mean[order],
            self.variance[order],
            self.converged,
            self.n_iter,
        )


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
    x = points.double().numpy()
    n_distinct = len(np.unique(x, axis=0))
    if n_components > n_distinct:
        raise ConfigurationError(
            f"abstraction.n_components={n_components} is larger than the number of different "
            f"hidden states in the sample ({n_distinct}): lower it, or raise "
            "abstraction.fit_states."
        )
    floor = max(RELATIVE_VARIANCE_FLOOR * float(x.var(0).mean()), 1e-12)
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
    return Mixture(
        torch.from_numpy(model.weights_).clamp_min(1e-300).log(),
        torch.from_numpy(model.means_),
        torch.from_numpy(model.covariances_),
        bool(model.converged_),
        int(model.n_iter_),
    )


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
