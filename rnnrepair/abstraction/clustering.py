"""Ways to group reduced hidden states, behind one interface: each returns a ``Mixture``."""

import warnings
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import numpy as np
import torch
from sklearn.cluster import KMeans, MeanShift, MiniBatchKMeans, estimate_bandwidth
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from torch import Tensor

from rnnrepair.abstraction.mixture import (
    Family,
    Mixture,
    check_distinct,
    fit_mixture,
    variance_floor,
)
from rnnrepair.settings import check_settings, one_of

# Quantile of the pairwise distances that mean-shift takes as its bandwidth.
BANDWIDTH_QUANTILE = 0.3
# Points that the bandwidth is estimated on: their pairwise distances are all computed.
BANDWIDTH_POINTS = 2000


class Clustering(StrEnum):
    """How states are grouped."""

    GMM = "gmm"
    GMM_FULL = "gmm_full"
    GMM_TIED = "gmm_tied"
    BAYESIAN_GMM = "bayesian_gmm"
    KMEANS = "kmeans"
    MINIBATCH_KMEANS = "minibatch_kmeans"
    MEAN_SHIFT = "mean_shift"

    @property
    def has_likelihood(self) -> bool:
        """Whether a Bayesian information criterion can be had."""
        return self not in {Clustering.KMEANS, Clustering.MINIBATCH_KMEANS, Clustering.MEAN_SHIFT}


def fit_clustering(
    kind: Annotated[str, one_of(Clustering)],
    points: Tensor,
    n_components: int,
    seed: int,
    max_iter: int = 100,
    tol: float = 1e-3,
) -> Mixture:
    """Group points; ``Mixture.assign`` then gives the cluster of any point.

    Centroid methods become mixtures of equal spheres, whose most probable component is the
    nearest centroid.

    Source: student report, section 5.2; docs/method.md 8.2.

    Args:
        kind: see ``Clustering``.
        points: (n, k).
        n_components: K; mean-shift finds a number of its own, the Bayesian mixture at most K.
        seed: of the starting points.
        max_iter: iterations at most.
        tol: of the mixtures.

    Raises:
        ConfigurationError: unknown kind, or K is larger than the number of different points.
    """
    check_settings(fit_clustering, locals())
    if kind == Clustering.GMM:
        return fit_mixture(points, n_components, seed, max_iter=max_iter, tol=tol)
    if kind != Clustering.MEAN_SHIFT:
        check_distinct(points, n_components)
    x = points.double().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return _FITS[Clustering(kind)](x, n_components, seed % 2**32, max_iter, tol)


def _gmm(covariance: str) -> Callable[..., Mixture]:
    def fit(x: np.ndarray, n_components: int, seed: int, max_iter: int, tol: float) -> Mixture:
        model = GaussianMixture(
            n_components,
            covariance_type=covariance,
            reg_covar=variance_floor(x),
            tol=tol,
            max_iter=max_iter,
            random_state=seed,
        ).fit(x)
        shape = (n_components, x.shape[1], x.shape[1])
        return Mixture(
            torch.from_numpy(model.weights_).clamp_min(1e-300).log(),
            torch.from_numpy(model.means_),
            torch.from_numpy(np.broadcast_to(model.covariances_, shape).copy()).diagonal(
                dim1=1, dim2=2
            ),
            bool(model.converged_),
            int(model.n_iter_),
            torch.from_numpy(np.broadcast_to(model.precisions_cholesky_, shape).copy()),
            Family.FULL if covariance == "full" else Family.TIED,
        )

    return fit


# Weights, means and covariances expected a posteriori make a plain mixture. scikit-learn assigns by
# expected logarithms instead, so that a few points in a thousand, on borders, differ.
def _bayesian(x: np.ndarray, n_components: int, seed: int, max_iter: int, tol: float) -> Mixture:
    model = BayesianGaussianMixture(
        n_components=n_components,
        covariance_type="diag",
        reg_covar=variance_floor(x),
        tol=tol,
        max_iter=max_iter,
        random_state=seed,
    ).fit(x)
    return Mixture.of_diagonal(model)


def _kmeans(kind: type[KMeans] | type[MiniBatchKMeans]) -> Callable[..., Mixture]:
    def fit(x: np.ndarray, n_components: int, seed: int, max_iter: int, _: float) -> Mixture:
        model = kind(n_components, n_init=1, max_iter=max_iter, random_state=seed).fit(x)
        centroid = torch.from_numpy(model.cluster_centers_).double()
        return Mixture.of_centroids(centroid, model.n_iter_ < max_iter, int(model.n_iter_))

    return fit


def _mean_shift(x: np.ndarray, _: int, seed: int, max_iter: int, __: float) -> Mixture:
    bandwidth = estimate_bandwidth(
        x,
        quantile=BANDWIDTH_QUANTILE,
        n_samples=min(len(x), BANDWIDTH_POINTS),
        random_state=seed,
    )
    model = MeanShift(bandwidth=bandwidth, bin_seeding=False, max_iter=max_iter).fit(x)
    centroid = torch.from_numpy(model.cluster_centers_).double()
    return Mixture.of_centroids(centroid, model.n_iter_ < max_iter, int(model.n_iter_))


_FITS: dict[Clustering, Callable[..., Mixture]] = {
    Clustering.GMM_FULL: _gmm("full"),
    Clustering.GMM_TIED: _gmm("tied"),
    Clustering.BAYESIAN_GMM: _bayesian,
    Clustering.KMEANS: _kmeans(KMeans),
    Clustering.MINIBATCH_KMEANS: _kmeans(MiniBatchKMeans),
    Clustering.MEAN_SHIFT: _mean_shift,
}
