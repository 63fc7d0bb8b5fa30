"""Clusterings against scikit-learn's own assignment, likelihood and criterion."""

import math

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from rnnrepair.abstraction import (
    AbstractionSettings,
    AbstractModel,
    Clustering,
    Reduction,
    fit_clustering,
)
from rnnrepair.abstraction.mixture import variance_floor
from rnnrepair.errors import ConfigurationError


def points(n=600, seed=0):
    g = torch.Generator().manual_seed(seed)
    centre = 4.0 * torch.randn(5, 3, generator=g)
    stretched = torch.randn(n, 3, generator=g) @ torch.tensor(
        [[1.0, 0.8, 0.0], [0.0, 0.6, 0.0], [0.0, 0.0, 0.3]]
    )
    return centre[torch.randint(5, (n,), generator=g)] + stretched


def sklearn_model(kind, x):
    options = {"reg_covar": variance_floor(x), "tol": 1e-3, "random_state": 0}
    return {
        "gmm": lambda: GaussianMixture(5, covariance_type="diag", **options),
        "gmm_full": lambda: GaussianMixture(5, covariance_type="full", **options),
        "gmm_tied": lambda: GaussianMixture(5, covariance_type="tied", **options),
        "kmeans": lambda: KMeans(5, n_init=1, max_iter=100, random_state=0),
    }[kind]()


@pytest.mark.parametrize("kind", ["gmm", "gmm_full", "gmm_tied", "kmeans"])
def test_states_are_those_of_sklearn(kind):
    x, new = points(), points(seed=1)
    ours = fit_clustering(kind, x, 5, seed=0)
    theirs = sklearn_model(kind, x.double().numpy()).fit(x.double().numpy())
    expected = theirs.predict(new.double().numpy())
    np.testing.assert_array_equal(ours.assign(new.double()).numpy(), expected)


@pytest.mark.parametrize("kind", ["gmm", "gmm_full", "gmm_tied"])
def test_likelihood_is_that_of_sklearn(kind):
    x, new = points(), points(seed=1).double()
    ours = fit_clustering(kind, x, 5, seed=0)
    theirs = sklearn_model(kind, x.double().numpy()).fit(x.double().numpy())
    state, score = ours.assign_and_score(new)
    assert score == pytest.approx(theirs.score_samples(new.numpy()).sum(), rel=1e-8)
    assert torch.equal(state, ours.assign(new))


@pytest.mark.parametrize("kind", ["gmm", "gmm_full", "gmm_tied"])
def test_criterion_is_that_of_sklearn(kind):
    x = points().double()
    theirs = sklearn_model(kind, x.numpy()).fit(x.numpy())
    assert fit_clustering(kind, x, 5, seed=0).bic(x) == pytest.approx(theirs.bic(x.numpy()))


def test_centroids_have_no_criterion_and_none_is_chosen_by_it():
    assert math.isnan(fit_clustering("kmeans", points(), 5, seed=0).bic(points()))
    with pytest.raises(ConfigurationError, match=r"selection.*no likelihood: take stability"):
        AbstractionSettings(n_components=[3, 5], clustering="kmeans")
    AbstractionSettings(n_components=[3, 5], clustering="kmeans", selection="stability")


def test_mean_shift_finds_its_own_number_and_assigns_to_the_nearest():
    x = points(300)
    ours = fit_clustering("mean_shift", x, 2, seed=0)
    nearest = torch.cdist(x.double(), ours.mean).argmin(1)
    assert ours.n_components > 1
    assert torch.equal(ours.assign(x.double()), nearest)


@pytest.mark.parametrize("kind", list(Clustering))
def test_every_clustering_repeats_itself_and_survives_the_disk(kind, tmp_path):
    x = points(300)
    mixture, again = (fit_clustering(kind, x, 4, seed=7) for _ in range(2))
    state = mixture.assign(x)
    assert torch.equal(state, again.assign(x))
    counts = torch.ones(mixture.n_components, 2, dtype=torch.int64)
    reduction = Reduction(torch.zeros(3), torch.eye(3), torch.ones(3), 3.0)
    AbstractModel(reduction, mixture, counts).save(tmp_path / "a.safetensors")
    assert torch.equal(AbstractModel.load(tmp_path / "a.safetensors").assign(x), state)
    new_id = torch.arange(mixture.n_components).flip(0)
    assert torch.equal(mixture.renumbered(new_id).assign(x), new_id[state])


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigurationError, match=r"kind: expected a string, one of"):
        fit_clustering("dbscan", points(), 3, seed=0)
    with pytest.raises(ConfigurationError, match="larger than the number of different"):
        fit_clustering("kmeans", torch.ones(50, 2), 3, seed=0)
