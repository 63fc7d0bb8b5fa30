"""Exact gradients agree with torch.autograd, sample by sample."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import LossGradients, Parts
from rnnrepair.influence.gradients import loss_gradients, tokens
from rnnrepair.sequences import SequenceBatch

N_FEATURES, N_UNITS, N_CLASSES, N_STEPS, N_TOKENS = 5, 7, 4, 6, 9
KINDS = {
    "lstm": lambda **options: nn.LSTM(N_FEATURES, N_UNITS, **options),
    "gru": lambda **options: nn.GRU(N_FEATURES, N_UNITS, **options),
    "rnn": lambda **options: nn.RNN(N_FEATURES, N_UNITS, **options),
    "relu": lambda **options: nn.RNN(N_FEATURES, N_UNITS, nonlinearity="relu", **options),
}


def parts_of(kind, n_layers=1, *, reads_tokens=False):
    torch.manual_seed(0)
    rnn = KINDS[kind](num_layers=n_layers, batch_first=True)
    embedding = nn.Embedding(N_TOKENS, N_FEATURES) if reads_tokens else None
    return Parts(rnn, nn.Linear(N_UNITS, N_CLASSES), embedding)


@pytest.fixture(params=[(kind, n) for kind in KINDS for n in (1, 3)], ids=str)
def parts(request):
    return parts_of(*request.param)


@pytest.fixture(params=["lstm", "gru"])
def readers(request):
    return parts_of(request.param, 2, reads_tokens=True)


def make_batch(size, lengths=None, seed=1, *, reads_tokens=False):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(size, N_STEPS, N_FEATURES, generator=generator)
    if reads_tokens:
        inputs = torch.randint(N_TOKENS, (size, N_STEPS), generator=generator)
    return SequenceBatch(
        torch.arange(size),
        inputs,
        torch.full((size,), N_STEPS) if lengths is None else torch.tensor(lengths),
        torch.randint(N_CLASSES, (size,), generator=generator),
    )


def parameters_of(parts):
    named = {} if parts.embedding is None else {"embedding.weight": parts.embedding.weight}
    named |= dict(parts.rnn.named_parameters())
    return named | {f"head.{name}": value for name, value in parts.head.named_parameters()}


def loss_of(parts, x, length, label):
    x = x[None, :length]
    hidden, _ = parts.rnn(x if parts.embedding is None else parts.embedding(x))
    return cross_entropy(parts.head(hidden[:, -1]), label[None])


def by_autograd(parts, batch):
    """(B, ...) gradients by parameter, from one backward pass a sample."""
    named = parameters_of(parts)
    rows = []
    for x, length, label in zip(batch.inputs, batch.lengths, batch.label, strict=True):
        loss = loss_of(parts, x, length, label)
        rows.append(torch.autograd.grad(loss, list(named.values())))
    return {name: torch.stack(g) for name, g in zip(named, zip(*rows, strict=True), strict=True)}


def flat(gradients):
    return torch.cat([g.flatten(1) for g in gradients.values()], 1)


def assert_close(actual, expected):
    """Agree to 1e-4 of the largest entry."""
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def assert_same_gradients(parts, batch):
    found, expected = LossGradients(parts).gradients(batch), by_autograd(parts, batch)
    assert list(found) == list(expected)
    for name, gradient in expected.items():
        assert_close(found[name], gradient)


@pytest.mark.parametrize("lengths", [None, [6, 1, 3, 6, 2]])
def test_gradients_equal_autograd(parts, lengths):
    assert_same_gradients(parts, make_batch(5, lengths))


@pytest.mark.parametrize("lengths", [None, [6, 1, 3, 6, 2]])
def test_gradients_of_an_embedding_equal_autograd(readers, lengths):
    assert_same_gradients(readers, make_batch(5, lengths, reads_tokens=True))


def test_training_that_goes_on_changes_nothing(readers):
    batch = make_batch(4, reads_tokens=True)
    gradients = LossGradients(readers)
    before = gradients.gradients(batch)
    with torch.no_grad():
        for parameter in parameters_of(readers).values():
            parameter += 1
    torch.testing.assert_close(gradients.gradients(batch), before, rtol=0, atol=0)


def test_logits_are_those_of_the_network(parts):
    batch = make_batch(4)
    expected = parts.head(parts.rnn(batch.inputs)[0][:, -1])
    assert_close(LossGradients(parts).logits(batch), expected.detach())


def test_padding_does_not_matter(parts):
    batch = make_batch(3, [2, 4, 6])
    other = make_batch(3, [2, 4, 6])
    other.inputs[~other.mask] = 100.0
    gradients = LossGradients(parts)
    torch.testing.assert_close(gradients.gradients(batch), gradients.gradients(other))


def test_padded_tokens_do_not_matter(readers):
    batch, other = (make_batch(3, [2, 4, 6], reads_tokens=True) for _ in range(2))
    other.inputs[~other.mask] = 1
    gradients = LossGradients(readers)
    torch.testing.assert_close(gradients.gradients(batch), gradients.gradients(other))
    products = (gradients.products([b], batch) for b in (batch, other))
    torch.testing.assert_close(*products)


def assert_products(parts, train, queries):
    by_query, *of_train = (flat(by_autograd(parts, batch)) for batch in (queries, *train))
    by_train = torch.cat(of_train)
    gradients = LossGradients(parts)
    scores = gradients.products(train, queries)
    assert scores.shape == (len(by_query), len(by_train))
    assert_close(scores, by_query @ by_train.T)
    norms = by_query.norm(dim=1)[:, None] * by_train.norm(dim=1)
    assert_close(gradients.products(train, queries, cosine=True), by_query @ by_train.T / norms)
    assert_close(gradients.squared_norms(queries), by_query.square().sum(1))


def test_scores_are_products_of_gradients(parts, monkeypatch):
    monkeypatch.setattr(loss_gradients, "GRADIENT_BATCH", 4)
    train = [make_batch(6, seed=2), make_batch(5, [3, 6, 1, 2, 6], seed=3)]
    assert_products(parts, train, make_batch(5, seed=4))


@pytest.mark.parametrize("cells", [1, 200, 5_000_000])
def test_scores_of_tokens_are_products_of_gradients(readers, monkeypatch, cells):
    """Words that come twice in a sequence, and words that no query has, count as they should."""
    monkeypatch.setattr(loss_gradients, "GRADIENT_BATCH", 4)
    monkeypatch.setattr(tokens, "CELLS", cells)
    train = [
        make_batch(6, seed=2, reads_tokens=True),
        make_batch(5, [3, 6, 1, 2, 6], 3, reads_tokens=True),
    ]
    queries = make_batch(5, [6, 2, 1, 5, 3], seed=4, reads_tokens=True)
    queries.inputs.clamp_(max=N_TOKENS - 3)
    assert_products(readers, train, queries)


def test_first_order_effect_of_a_training_step(parts):
    """A small step on a training sample lowers a query's loss by the rate times the score."""
    for part in (parts.rnn, parts.head):
        part.double()
    batch = make_batch(2)
    batch.inputs = batch.inputs.double()
    train, query = (batch.rows(slice(i, i + 1)) for i in range(2))

    def loss(of):
        return loss_of(parts, of.inputs[0], N_STEPS, of.label[0])

    score = float(LossGradients(parts).products([train], query))
    before = float(loss(query).detach())
    loss(train).backward()
    rate = 1e-5
    with torch.no_grad():
        for parameter in parameters_of(parts).values():
            parameter -= rate * parameter.grad
        after = float(loss(query))
    assert (before - after) / rate == pytest.approx(score, rel=1e-3)


@pytest.mark.parametrize(
    "rnn",
    [
        nn.LSTM(N_FEATURES, N_UNITS, bias=False),
        nn.LSTM(N_FEATURES, N_UNITS, proj_size=3),
        nn.GRU(N_FEATURES, N_UNITS, bidirectional=True),
        nn.Linear(N_FEATURES, N_UNITS),
    ],
)
def test_other_networks_are_refused(rnn):
    with pytest.raises(ConfigurationError, match="one direction"):
        Parts(rnn, nn.Linear(N_UNITS, N_CLASSES))


@pytest.mark.parametrize("head", [nn.Sequential(), nn.Linear(N_UNITS, N_CLASSES, bias=False)])
def test_other_heads_are_refused(head):
    with pytest.raises(ConfigurationError, match="head"):
        Parts(nn.GRU(N_FEATURES, N_UNITS), head)


def test_parts_are_found_in_a_module():
    module = nn.ModuleDict({"e": nn.Embedding(4, 3), "r": nn.GRU(3, 2, 2), "h": nn.Linear(2, 2)})
    parts = Parts.of(module)
    assert (parts.rnn, parts.head, parts.embedding) == (module["r"], module["h"], module["e"])
    module["more"] = nn.LayerNorm(2)
    with pytest.raises(ConfigurationError, match="LayerNorm"):
        Parts.of(module)
