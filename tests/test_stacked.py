"""A stack of networks learns what its networks would learn one after another."""

from functools import partial

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from rnnrepair.models import (
    Clipping,
    SequenceClassifier,
    can_stack,
    pays,
    relabelled,
    train_stacked,
)
from rnnrepair.sequences import Changes, SequenceBatch

N, N_STEPS, N_FEATURES, N_CLASSES = 48, 7, 5, 3
CHANGES = (
    Changes(),
    Changes(removed=torch.tensor([3, 17, 18, 40])),
    Changes(relabelled=torch.tensor([5, 6]), new_label=torch.tensor([2, 0])),
    Changes(removed=torch.arange(0, N, 2)),
)
NO_CLIPPING = Clipping()


def batches_of(epoch, reads_tokens=False, dtype=torch.float32):
    """Ragged batches in another order each epoch; the indices are no positions."""
    g = torch.Generator().manual_seed(1)
    inputs = torch.rand(N, N_STEPS, N_FEATURES, generator=g, dtype=torch.float64).to(dtype)
    if reads_tokens:
        inputs = torch.randint(2, 9, (N, N_STEPS), generator=g)
    lengths = torch.randint(1, N_STEPS + 1, (N,), generator=g)
    if reads_tokens:
        inputs[torch.arange(N_STEPS) >= lengths[:, None]] = 1
    label = torch.randint(N_CLASSES, (N,), generator=g)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(epoch))
    return [
        SequenceBatch(rows, inputs[rows], lengths[rows], label[rows]) for rows in order.split(13)
    ]


def networks_of(n, dtype=torch.float32, same=True, **options):
    made = []
    for number in range(n):
        torch.manual_seed(0 if same else number)
        network = SequenceClassifier(N_FEATURES, N_CLASSES, hidden_size=6, **options)
        made.append(network.to(dtype).train())
    return made


def seeded(epoch, number):
    torch.manual_seed(1000 * epoch + number)


def train_alone(network, changes, epochs, clip=lambda parameters: None):
    optimizer = network.make_optimizer(network.parameters())
    scheduler = None if network.make_scheduler is None else network.make_scheduler(optimizer)
    for epoch, batches in enumerate(epochs):
        for number, batch in enumerate(batches):
            seeded(epoch, number)
            batch.label = relabelled(batch, changes)
            kept = ~torch.isin(batch.index, changes.removed)
            optimizer.zero_grad()
            left = batch.rows(kept.nonzero()[:, 0])
            cross_entropy(network.logits(left), left.label).backward()
            clip(network.parameters())
            optimizer.step()
        if scheduler is not None:
            scheduler.step()


def assert_same(stacked, alone, rtol, atol):
    for one, other in zip(stacked, alone, strict=True):
        for (name, a), b in zip(one.named_parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=rtol, atol=atol, msg=f"{name} differs")


def compare(make, changes=CHANGES, epochs=4, rtol=1e-4, atol=1e-5, clipping=NO_CLIPPING, **options):
    """Train both ways and compare all weights; return the stacked networks."""
    reads_tokens, dtype = options.get("reads_tokens", False), options.get("dtype", torch.float32)
    stacked, alone = make(), make()
    before = [p.clone() for p in stacked[0].parameters()]
    made = [batches_of(e, reads_tokens, dtype) for e in range(epochs)]
    train_stacked(stacked, changes, made, clipping, seeded)

    def clip(parameters):
        if clipping.value is not None:
            (clip_grad_norm_ if clipping.by_norm else clip_grad_value_)(parameters, clipping.value)

    for network, own in zip(alone, changes, strict=True):
        train_alone(network, own, [batches_of(e, reads_tokens, dtype) for e in range(epochs)], clip)
    assert_same(stacked, alone, rtol, atol)
    after = stacked[0].parameters()
    assert max((p - q).abs().max() for p, q in zip(before, after, strict=True)) > 1e-3
    return stacked


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_stacked_networks_learn_as_they_do_alone(cell, num_layers):
    options = {"cell": cell, "num_layers": num_layers}
    found = compare(lambda: networks_of(4, **options))
    assert not torch.allclose(found[0].head.weight, found[1].head.weight, atol=1e-5)
    assert not torch.allclose(found[0].head.weight, found[2].head.weight, atol=1e-5)
    exact = {"dtype": torch.float64}
    compare(lambda: networks_of(4, **options, **exact), rtol=1e-9, atol=1e-10, **exact)


def test_networks_may_begin_apart():
    compare(lambda: networks_of(4, same=False), [Changes()] * 4)


def test_tokens_are_read_through_embeddings_of_their_own():
    options = {"vocabulary_size": 9, "cell": "gru"}
    found = compare(lambda: networks_of(4, **options), reads_tokens=True)
    start = networks_of(1, **options)[0].embedding.weight[1]
    assert all(torch.equal(network.embedding.weight[1], start) for network in found)


@pytest.mark.parametrize(
    "optimizer",
    [partial(torch.optim.SGD, lr=0.3, momentum=0.9), partial(torch.optim.RMSprop, lr=0.01)],
)
def test_optimizers_and_schedulers_are_those_of_the_network(optimizer):
    scheduler = partial(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.1)
    compare(lambda: networks_of(4, optimizer=optimizer, scheduler=scheduler), rtol=1e-3)


@pytest.mark.parametrize("by_norm", [True, False])
def test_gradients_are_clipped_for_each_network(by_norm):
    sgd = partial(torch.optim.SGD, lr=0.5)
    # So that clipping binds.
    compare(lambda: networks_of(4, optimizer=sgd), clipping=Clipping(0.02, by_norm))


@pytest.mark.parametrize("reads_tokens", [False, True])
def test_dropout_masks_are_those_that_one_network_would_draw(reads_tokens):
    options = {"dropout": 0.4, "num_layers": 2, "cell": "gru"}
    if reads_tokens:
        options |= {"vocabulary_size": 9, "embedding_dropout": 0.3}
    same = [Changes()] * 2
    found = compare(lambda: networks_of(2, **options), same, reads_tokens=reads_tokens)
    for one, other in zip(found[0].parameters(), found[1].parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_what_cannot_be_stacked_is_known():
    class Own(SequenceClassifier):
        pass

    lbfgs = SequenceClassifier(4, 3, optimizer=partial(torch.optim.LBFGS, lr=0.1))
    assert can_stack(SequenceClassifier(4, 3))
    assert not can_stack(Own(4, 3))
    assert not can_stack(lbfgs)
    cpu = torch.device("cpu")
    small, large = (SequenceClassifier(4, 3, hidden_size=d) for d in (8, 100))
    assert pays(small, 20, cpu)
    assert not pays(small, 1, cpu)
    assert not pays(large, 20, cpu)
    assert pays(large, 20, torch.device("cuda"))
