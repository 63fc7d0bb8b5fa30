"""Exact TracIn agrees with torch.autograd, sample by sample."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import gradients
from rnnrepair.influence.gradients import TracIn
from rnnrepair.sequences import SequenceBatch

N_FEATURES, N_UNITS, N_CLASSES, N_STEPS = 5, 7, 4, 6


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.LSTM(N_FEATURES, N_UNITS, batch_first=True), nn.Linear(N_UNITS, N_CLASSES)


def make_batch(size, lengths=None, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return SequenceBatch(
        torch.arange(size),
        torch.randn(size, N_STEPS, N_FEATURES, generator=generator),
        torch.full((size,), N_STEPS) if lengths is None else torch.tensor(lengths),
        torch.randint(N_CLASSES, (size,), generator=generator),
    )


def by_autograd(rnn, head, batch):
    """(B, P) gradients from one backward pass a sample, in the order TracIn promises."""
    rows = []
    for x, length, label in zip(batch.inputs, batch.lengths, batch.label, strict=True):
        hidden, _ = rnn(x[None, :length])
        loss = cross_entropy(head(hidden[:, -1]), label[None])
        p = {**dict(rnn.named_parameters()), **dict(head.named_parameters())}
        g = dict(zip(p, torch.autograd.grad(loss, list(p.values())), strict=True))
        biases = [g["bias_ih_l0"][:, None], g["bias_hh_l0"][:, None]]
        recurrent = torch.cat([g["weight_ih_l0"], g["weight_hh_l0"], *biases], 1)
        linear = torch.cat([g["weight"], g["bias"][:, None]], 1)
        rows.append(torch.cat([recurrent.flatten(), linear.flatten()]))
    return torch.stack(rows)


def assert_close(actual, expected):
    """Agree to 1e-4 of the largest entry."""
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("lengths", [None, [6, 1, 3, 6, 2]])
def test_gradients_equal_autograd(network, lengths):
    batch = make_batch(5, lengths)
    assert_close(TracIn(*network).gradients(batch), by_autograd(*network, batch))


def test_padding_does_not_matter(network):
    batch = make_batch(3, [2, 4, 6])
    other = make_batch(3, [2, 4, 6])
    other.inputs[~other.mask] = 100.0
    tracin = TracIn(*network)
    torch.testing.assert_close(tracin.gradients(batch), tracin.gradients(other))


def test_scores_are_products_of_gradients(network, monkeypatch):
    monkeypatch.setattr(gradients, "GRADIENT_BATCH", 4)
    train = [make_batch(6, seed=2), make_batch(5, [3, 6, 1, 2, 6], seed=3)]
    queries = make_batch(5, seed=4)
    expected = (
        by_autograd(*network, queries)
        @ torch.cat([by_autograd(*network, batch) for batch in train]).T
    )
    scores = TracIn(*network)(train, queries)
    assert scores.shape == (5, 11)
    assert_close(scores, expected)


def test_first_order_effect_of_a_training_step(network):
    """A small step on a training sample lowers a query's loss by the rate times the score."""
    rnn, head = (part.double() for part in network)
    batch = make_batch(2)
    batch.inputs = batch.inputs.double()
    train, query = (
        SequenceBatch(*(getattr(batch, n)[[i]] for n in ("index", "inputs", "lengths", "label")))
        for i in range(2)
    )

    def loss(of):
        return cross_entropy(head(rnn(of.inputs)[0][:, -1]), of.label)

    score = float(TracIn(rnn, head)([train], query))
    before = float(loss(query).detach())
    loss(train).backward()
    rate = 1e-5
    with torch.no_grad():
        for parameter in (*rnn.parameters(), *head.parameters()):
            parameter -= rate * parameter.grad
        after = float(loss(query))
    assert (before - after) / rate == pytest.approx(score, rel=1e-3)


@pytest.mark.parametrize(
    "rnn",
    [
        nn.GRU(N_FEATURES, N_UNITS, batch_first=True),
        nn.LSTM(N_FEATURES, N_UNITS, 2, batch_first=True),
        nn.LSTM(N_FEATURES, N_UNITS),
        nn.LSTM(N_FEATURES, N_UNITS, batch_first=True, bidirectional=True),
    ],
)
def test_other_networks_are_refused(rnn):
    with pytest.raises(ConfigurationError, match="single-layer, one-directional"):
        TracIn(rnn, nn.Linear(N_UNITS, N_CLASSES))


def test_other_heads_are_refused(network):
    with pytest.raises(ConfigurationError, match="head"):
        TracIn(network[0], nn.Sequential(network[1]))
