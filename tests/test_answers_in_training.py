"""Where a training step makes the answers: what is read there is what the network answers."""

from contextlib import suppress

import pytest
import torch
from torch import nn
from torch.nn import functional

from rnnrepair.models import ImageClassifier, SequenceClassifier
from rnnrepair.network import TracedNetwork, decoded
from rnnrepair.sequences import DataSpec
from tests.network_forms import FORMS, Base, C, F, H, series
from tests.test_traced_network import data_of, network_of, split, take


def read_in(module, answer, batch, step):
    """The logits that are read while a step runs."""
    kept = []
    handle = answer.attach(lambda output: kept.append(decoded(answer, output, len(batch))))
    with torch.no_grad():
        step(batch)
    handle.remove()
    (logits,) = kept
    return logits


def assert_answers(network, module, batch, step=None):
    """What is read on new sequences is what an analysis takes for the network's answer."""
    answer = network.answer_in_training(batch)
    assert answer is not None
    longest = batch.lengths.argsort(descending=True, stable=True)
    rows = next(split(take(batch, longest[1:20]), 19))
    module.eval()
    logits = read_in(module, answer, rows, step or (lambda b: module.training_step(b, 0)))
    logits = logits[rows.index.argsort()]
    found = network.predict([rows])
    assert torch.equal(logits.argmax(1), found.predicted)
    torch.testing.assert_close(logits.log_softmax(1), found.logits.log_softmax(1))
    assert logits.std(0).max() > 0
    return answer


@pytest.mark.parametrize("name", sorted(FORMS))
def test_answers_of_every_form_are_read(name):
    form = FORMS[name]
    module, network = network_of(form)
    if not hasattr(module, "training_step"):
        module.training_step = lambda batch, batch_idx: form.decide(module, batch)
    batch = data_of(form)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    network.verify(batch)
    assert_answers(network, module, batch)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert not any(part._forward_hooks for part in module.modules())


@pytest.mark.parametrize(
    ("make", "inputs", "classes"),
    [
        (lambda: SequenceClassifier(F, C, "gru", 6, dropout=0.5), (F,), C),
        (lambda: SequenceClassifier(F, C, "lstm", 6, 2), (F,), C),
        (lambda: ImageClassifier(height=28, width=28), (28, 28), 10),
    ],
    ids=["gru", "lstm", "cnn"],
)
def test_answers_of_our_own_networks_are_read(make, inputs, classes):
    """Their training steps call neither forward nor trace."""
    torch.manual_seed(0)
    module = make()
    module.log, module._trainer = (lambda *_, **__: None), None
    batch = series(60)
    kind = "series"
    if len(inputs) == 2:
        kind = "image"
        batch = series(60, 28, ragged=False)
        batch.inputs = torch.rand(60, 28, 28)
    network = TracedNetwork.of(module, DataSpec(kind, inputs[-1], classes))
    network.verify(batch)
    answer = assert_answers(network, module, batch, module.loss)
    assert answer.name == "head"


class Trained(Base):
    """Calls what a test says in its training step."""

    def __init__(self, step, classes=C):
        super().__init__(classes=classes)
        self.step = step
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])

    def training_step(self, batch, batch_idx):
        return self.step(self, batch)


def as_forward(module, batch):
    return module.forward(batch.inputs)


def loss_of(logits, batch):
    return functional.cross_entropy(logits, batch.label)


def twice(module, batch):
    """The answers to noise first, as some regularisations have it."""
    module(torch.zeros_like(batch.inputs))
    return loss_of(module(batch.inputs), batch)


def fails_behind(module, batch):
    loss_of(module(batch.inputs), batch)
    raise ZeroDivisionError


def in_place(module, batch):
    logits = module(batch.inputs)
    logits.detach().zero_()
    return logits


@pytest.mark.parametrize(
    ("step", "name", "call"),
    [
        (lambda m, b: loss_of(m(b.inputs), b), "", 0),
        (lambda m, b: loss_of(m.forward(b.inputs), b), "fc", 0),
        (lambda m, b: loss_of(m.fc(m.rnn(b.inputs)[1][-1]), b), "fc", 0),
        (twice, "", 1),
        (fails_behind, "", 0),
        (in_place, "", 0),
    ],
    ids=["self", "forward", "layers", "twice", "fails behind", "in place"],
)
def test_the_call_that_makes_the_answers_is_found(step, name, call):
    torch.manual_seed(0)
    module = Trained(step)
    batch = series(40, ragged=False)
    network = TracedNetwork.of(module, DataSpec("series", F, C), call=as_forward)
    network.verify(batch)

    def run(rows):
        with suppress(ZeroDivisionError):
            module.training_step(rows, 0)

    answer = assert_answers(network, module, batch, run)
    assert (answer.name, answer.call) == (name, call)


@pytest.mark.parametrize(
    "step",
    [
        lambda m, b: functional.linear(m.rnn(b.inputs)[1][-1], m.fc.weight, m.fc.bias),
        lambda m, b: m.fc(m.rnn(b.inputs.flip(0))[1][-1]),
    ],
    ids=["no layer at the end", "other inputs"],
)
def test_answers_that_no_part_returns_are_not_seen(step):
    torch.manual_seed(0)
    module = Trained(step)
    batch = series(40, ragged=False)
    network = TracedNetwork.of(module, DataSpec("series", F, C), call=as_forward)
    network.verify(batch)
    assert network.answer_in_training(batch) is None


def test_a_module_that_is_not_trained_by_itself_has_no_such_place():
    torch.manual_seed(0)
    network = TracedNetwork.of(Base(width=H), DataSpec("series", F, C), call=lambda m, b: None)
    assert network.answer_in_training(series()) is None
