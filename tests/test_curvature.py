"""Products with second derivatives agree with whole matrices of torch.autograd."""

import pytest
import torch
from torch.autograd.functional import hessian, jacobian
from torch.nn.functional import cross_entropy

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import LossGradients
from rnnrepair.influence.gradients import Curvature, curvature
from tests.gradient_parts import KINDS, exact_batch, exact_parts, torchs_logits, weights_of


@pytest.fixture(params=[(kind, n, tokens) for kind in KINDS for n, tokens in [(1, 0), (2, 1)]])
def case(request):
    """A network, sequences, and directions in the space of its parameters."""
    kind, n_layers, tokens = request.param
    parts = exact_parts(kind, n_layers, reads_tokens=bool(tokens))
    found = Curvature(parts)
    g = torch.Generator().manual_seed(5)
    directions = torch.randn(3, len(found.layout), generator=g, dtype=torch.double)
    batch = exact_batch(5, reads_tokens=bool(tokens))
    return parts, found, batch, weights_of(parts, found.layout), directions


@pytest.mark.parametrize("states", [1, 5_000_000])
def test_products_equal_the_whole_hessian(case, states, monkeypatch):
    """However many sequences are worked on at once."""
    monkeypatch.setattr(curvature, "STATES", states)
    parts, found, batch, weights, directions = case

    def summed(at):
        logits = torchs_logits(parts, at, found.layout, batch)
        return cross_entropy(logits, batch.label, reduction="sum")

    products, slopes = found.hessian_products(weights, batch, directions)
    torch.testing.assert_close(products, directions @ hessian(summed, weights, vectorize=True))
    gradients = found.layout.flat(LossGradients(parts).gradients(batch))
    torch.testing.assert_close(slopes, directions @ gradients.T)
    torch.testing.assert_close(found.gradient(weights, batch), gradients.sum(0))


def test_products_equal_the_whole_gauss_newton_matrix(case):
    parts, found, batch, weights, directions = case
    logits = torchs_logits(parts, weights, found.layout, batch)
    moves = jacobian(lambda at: torchs_logits(parts, at, found.layout, batch), weights)
    matrix = torch.zeros(len(weights), len(weights), dtype=torch.double)
    for row, p in zip(moves, logits.softmax(1), strict=True):
        matrix += row.T @ (p.diag() - p[:, None] * p) @ row
    products = found.gauss_newton_products(weights, batch, directions)
    torch.testing.assert_close(products, directions @ matrix)


def test_directions_are_read_as_gradients_are(case):
    parts, found, batch, _, directions = case
    gradients = LossGradients(parts)
    scores = gradients.along([batch], gradients.directions_of(found.layout.named(directions)))
    expected = directions @ found.layout.flat(gradients.gradients(batch)).T
    torch.testing.assert_close(scores, expected)
    group = gradients.along([batch], gradients.directions(batch).mean())
    torch.testing.assert_close(group[0], gradients.products([batch], batch).mean(0))


def test_what_is_not_trained_has_no_derivatives():
    parts = exact_parts("gru", 2, reads_tokens=True)
    batch = exact_batch(5, reads_tokens=True)
    whole = LossGradients(parts).gradients(batch)
    frozen = [parts.embedding.weight, parts.rnn.weight_hh_l0, parts.head.bias]
    for weight in frozen:
        weight.requires_grad_(False)
    kept = {n: w for n, w in whole.items() if parts.parameters()[n].requires_grad}
    assert len(kept) == len(whole) - 3
    gradients = LossGradients(parts)
    found = gradients.gradients(batch)
    torch.testing.assert_close(found, kept)
    layout = Curvature(parts).layout
    flat = layout.flat(kept)
    torch.testing.assert_close(gradients.squared_norms(batch), flat.square().sum(1))
    torch.testing.assert_close(gradients.products([batch], batch), flat @ flat.T)
    directions = torch.randn(2, len(layout), dtype=torch.double)
    weights = weights_of(parts, layout)
    _, slopes = Curvature(parts).hessian_products(weights, batch, directions)
    torch.testing.assert_close(slopes, directions @ flat.T)
    for weight in parts.parameters().values():
        weight.requires_grad_(False)
    with pytest.raises(ConfigurationError, match="requires_grad"):
        LossGradients(parts)


def test_weights_may_be_others_than_the_networks():
    parts, other = exact_parts(), exact_parts()
    with torch.no_grad():
        for weight in other.parameters().values():
            weight += 0.1
    weights = {name: weight.detach() for name, weight in other.parameters().items()}
    batch = exact_batch(4)
    found = LossGradients(parts, weights).gradients(batch)
    torch.testing.assert_close(found, LossGradients(other).gradients(batch))
