"""Streaming PCA against scikit-learn's exact solver."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from rnnrepair.abstraction import StreamingPCA
from rnnrepair.errors import ConfigurationError


def hidden(n=400, d=8, offset=0.0, seed=0):
    g = torch.Generator().manual_seed(seed)
    scale = torch.logspace(0, -2, d)
    mixed = torch.linalg.qr(torch.randn(d, d, generator=g))[0]
    return (torch.randn(n, d, generator=g) * scale) @ mixed + offset


def fitted(x, k, sizes=None):
    pca = StreamingPCA()
    for part in x.split(sizes or len(x)):
        pca.update(part)
    return pca.finish(k)


@pytest.mark.parametrize("k", [1, 3, 7])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_reduction_agrees_with_sklearn_when_projecting(k, offset):
    x, new = hidden(offset=offset), hidden(50, offset=offset, seed=1)
    ours, theirs = fitted(x, k), PCA(k, svd_solver="full").fit(x.double().numpy())
    expected = theirs.transform(new.double().numpy())
    sign = np.sign((ours.components.numpy() * theirs.components_).sum(1))
    # float32 coordinates around 100 are only known to 1e-5.
    np.testing.assert_allclose(ours(new).numpy() * sign, expected, atol=2e-4 if offset else 1e-5)
    np.testing.assert_allclose(ours.variance.numpy(), theirs.explained_variance_, rtol=1e-4)
    assert ours.explained == pytest.approx(theirs.explained_variance_ratio_.sum(), rel=1e-5)


def test_reduction_only_centres_when_every_dimension_is_kept():
    x = hidden(offset=3.0)
    for k in (8, 20):
        torch.testing.assert_close(fitted(x, k)(x), x - x.mean(0), atol=1e-5, rtol=1e-5)
        assert fitted(x, k).explained == pytest.approx(1.0)


@pytest.mark.parametrize("sizes", [1, 7, 399])
def test_reduction_is_the_same_when_streamed(sizes):
    x = hidden(offset=3.0)
    whole, streamed = fitted(x, 3), fitted(x, 3, sizes)
    for name in ("mean", "components", "variance"):
        torch.testing.assert_close(getattr(streamed, name), getattr(whole, name))
    assert streamed.total_variance == pytest.approx(whole.total_variance)


def test_reduction_does_not_cancel_when_the_mean_is_large():
    x = hidden(2000, offset=1000.0)
    # The first batch is far from the mean of the rest.
    x[:10] += 5
    theirs = PCA(3, svd_solver="full").fit(x.double().numpy())
    np.testing.assert_allclose(fitted(x, 3, 10).variance, theirs.explained_variance_, rtol=1e-5)


def test_components_have_one_sign_when_the_solver_could_choose():
    components = fitted(hidden(), 8).components
    assert (components.gather(1, components.abs().argmax(1, keepdim=True)) > 0).all()
    torch.testing.assert_close(components @ components.T, torch.eye(8), atol=1e-5, rtol=0)


def test_finish_gives_all_units_when_asked_for_more():
    assert fitted(hidden(), 99).components.shape == (8, 8)
    assert fitted(hidden(), 99).explained == pytest.approx(1)


def test_variance_is_never_negative_when_units_are_constant():
    x = torch.ones(20, 4) * 0.1
    x[:, 0] = torch.arange(20.0)
    variance = fitted(x, 4).variance
    assert (variance >= 0).all()
    torch.testing.assert_close(variance[0], x[:, 0].var())


@pytest.mark.parametrize("n", [0, 1])
def test_finish_refuses_when_there_are_too_few_states(n):
    pca = StreamingPCA()
    if n:
        pca.update(torch.ones(n, 3))
    with pytest.raises(ConfigurationError, match="at least 2"):
        pca.finish(2)
