"""The diagonal Gaussian mixture against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture

from rnnrepair.abstraction import Mixture, fit_mixture
from rnnrepair.abstraction import mixture as module
from rnnrepair.errors import ConfigurationError

CENTRES = torch.tensor([[0.0, 0.0], [6.0, 1.0], [-1.0, 6.0], [7.0, 8.0]])


def blobs(n=600, seed=0, spread=0.4):
    g = torch.Generator().manual_seed(seed)
    return CENTRES[torch.arange(n) % 4] + spread * torch.randn(n, 2, generator=g)


@pytest.fixture
def theirs():
    return GaussianMixture(7, covariance_type="diag", random_state=0).fit(blobs().double().numpy())


@pytest.fixture
def ours(theirs):
    return Mixture(
        torch.from_numpy(theirs.weights_).log(),
        torch.from_numpy(theirs.means_),
        torch.from_numpy(theirs.covariances_),
        True,
        1,
    )


@pytest.mark.parametrize("chunk", [2**16, 37])
def test_assign_agrees_with_sklearn_when_parameters_are_equal(ours, theirs, monkeypatch, chunk):
    monkeypatch.setattr(module, "ASSIGN_CHUNK", chunk)
    x = torch.cat([blobs(500, seed=1), torch.randn(500, 2) * 6]).double()
    assert ours.assign(x).tolist() == theirs.predict(x.numpy()).tolist()
    assert (ours.assign(x.float()) == ours.assign(x)).double().mean() > 0.995


def test_log_joint_is_the_weighted_density_when_compared_with_sklearn(ours, theirs):
    x = blobs(50, seed=1).double()
    joint = ours.log_joint(x)
    np.testing.assert_allclose(joint.logsumexp(1), theirs.score_samples(x.numpy()), rtol=1e-9)
    np.testing.assert_allclose(joint.softmax(1), theirs.predict_proba(x.numpy()), atol=1e-9)


@pytest.mark.parametrize("chunk", [2**16, 37])
def test_bic_agrees_with_sklearn_when_chunked(ours, theirs, monkeypatch, chunk):
    monkeypatch.setattr(module, "ASSIGN_CHUNK", chunk)
    x = blobs(500, seed=1)
    assert ours.bic(x) == pytest.approx(theirs.bic(x.double().numpy()), rel=1e-9)


def test_fit_finds_the_groups_when_they_are_apart():
    x = blobs()
    state = fit_mixture(x, 4, seed=0).assign(x)
    pairs = {(i % 4, q) for i, q in enumerate(state.tolist())}
    assert len(pairs) == 4
    assert len({q for _, q in pairs}) == 4


def test_fit_is_repeatable_when_the_seed_is_the_same():
    x = blobs(spread=3.0)
    a, b, c = (fit_mixture(x, 6, seed=s) for s in (2**40 + 1, 2**40 + 1, 2**40 + 2))
    torch.testing.assert_close(a.mean, b.mean, rtol=0, atol=0)
    assert not torch.equal(a.mean, c.mean)


def test_fit_keeps_names_when_started_from_the_previous_states():
    old = torch.arange(600) % 4
    renamed = torch.tensor([2, 0, 3, 1])[old]
    # The axes have been turned and moved meanwhile: means could not be carried over.
    turned = blobs(seed=1) @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]]) + 30
    found = fit_mixture(turned, 4, 0, previous_state=renamed).assign(turned)
    assert found.tolist() == renamed.tolist()


def test_fit_revives_components_when_they_have_died():
    x = blobs()
    mixture = fit_mixture(x, 4, 0, previous_state=torch.zeros(600, dtype=torch.int64))
    assert torch.isfinite(mixture.mean).all()
    assert len(mixture.assign(x).unique()) == 4


def test_renumbered_calls_components_by_their_new_ids(ours):
    x, new_id = blobs(), torch.tensor([3, 5, 0, 6, 1, 2, 4])
    assert ours.renumbered(new_id).assign(x).tolist() == new_id[ours.assign(x)].tolist()
    assert ours.renumbered(new_id).bic(x) == pytest.approx(ours.bic(x))


def test_fit_says_so_when_it_has_not_converged():
    assert not fit_mixture(blobs(spread=4.0), 8, 0, max_iter=1, tol=1e-9).converged


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e3])
def test_fit_is_the_same_when_the_data_are_scaled(scale):
    """An absolute variance floor would merge small states."""
    x = blobs(spread=1.0)
    expected = fit_mixture(x, 4, 0).assign(x)
    assert fit_mixture(x * scale, 4, 0).assign(x * scale).tolist() == expected.tolist()


def test_fit_refuses_when_there_are_fewer_points_than_components():
    x = torch.tensor([[0.0], [1.0], [1.0]])
    with pytest.raises(ConfigurationError, match="n_components=3"):
        fit_mixture(x, 3, 0)
