"""Data, networks and settings as people have them: taken, or refused in one message in time.

Each refusal is raised by the set-up of the data or of the trainer, names the argument and says what
to write; nothing has been trained by then.
"""

import re
from dataclasses import replace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from rnnrepair.datamodules import LoadedData, Sequences
from rnnrepair.errors import ConfigurationError, DataError
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.sequences import Changes

N, T, F, C = 120, 5, 4, 3


def of(label, **changes):
    sequences = Sequences.from_padded(torch.rand(N, T, F), torch.full((N,), T))
    given = {"sequences": sequences, "label": label, "n_train": 90, "source": "toy"}
    return LoadedData(**(given | {"kind": "series"} | changes))


CLASSES = torch.arange(N) % C


@pytest.mark.parametrize(
    "label",
    [
        CLASSES.int(),
        CLASSES.byte(),
        CLASSES.float(),
        CLASSES.double()[:, None],
        CLASSES.numpy().astype(np.int16),
        CLASSES.tolist(),
    ],
    ids=["int32", "uint8", "float", "column", "numpy", "list"],
)
def test_labels_of_other_types_are_cast(make_data, label):
    data = make_data(of(label))
    found = data.fetch(torch.arange(N)).label
    assert found.dtype == torch.int64
    assert torch.equal(found, CLASSES)


def test_truth_values_are_two_classes(make_data):
    data = make_data(of(CLASSES > 0), num_classes=2)
    assert torch.equal(data.fetch(torch.arange(N)).label, (CLASSES > 0).long())


PER_STEP = torch.arange(N * T).reshape(N, T) % C


@pytest.mark.parametrize(
    ("label", "n_classes", "words"),
    [
        (torch.eye(C)[CLASSES], C, ["one-hot", "labels.argmax(1)"]),
        (torch.eye(7)[CLASSES], C, ["one-hot", "labels.argmax(1)"]),  # and num_classes is wrong
        (torch.rand(N, C), C, ["shares", "labels.argmax(1)"]),
        (torch.rand(N), C, ["whole numbers", "Real-valued"]),
        (torch.randn(N, 1), C, ["whole numbers", "Real-valued"]),
        (CLASSES + 1, C, ["begin with 1", "labels - 1"]),
        (2 * (CLASSES > 0).long() - 1, 2, ["-1 and 1", "(labels + 1) // 2"]),
        (torch.ones(N, C).long(), C, ["several classes a sequence", "one class"]),
        (PER_STEP, C, ["one label a step", "(n,)"]),
        (PER_STEP[:, :C], C, ["one label a step", "(n,)"]),  # as many steps as classes
        (torch.zeros(N, T, C), C, ["expected (n,)"]),
        (CLASSES, 2, ["40 of 120 above 1", "mend these", "num_classes=3"]),
        (CLASSES[:-1], C, ["120 sequences and 119 labels"]),
    ],
)
def test_labels_that_are_no_classes_are_refused_with_what_to_write(
    make_data, label, n_classes, words
):
    with pytest.raises(DataError, match="toy: ") as refused:
        make_data(of(label), num_classes=n_classes)
    assert [word for word in words if word not in str(refused.value)] == []


@pytest.mark.parametrize("make", [lambda x: x.double(), lambda x: x.double().numpy(), lambda x: x])
def test_inputs_of_other_precision_and_arrays_are_taken(make_data, make):
    inputs = torch.rand(N, T, F)
    data = make_data(of(CLASSES, sequences=Sequences.from_padded(make(inputs), np.full(N, T))))
    found = data.fetch(torch.arange(N)).inputs
    assert found.dtype == torch.float32
    assert torch.equal(found, inputs)


def test_numbers_of_one_feature_a_step_are_taken(make_data):
    inputs = torch.rand(N, T)
    data = make_data(of(CLASSES, sequences=Sequences.from_padded(inputs, torch.full((N,), T))))
    assert data.spec.step_width == 1
    assert torch.equal(data.fetch(torch.arange(N)).inputs[..., 0], inputs)


def test_bytes_may_be_pixels_or_tokens_so_the_kind_is_asked(make_data):
    pixels = torch.randint(256, (N, T, F)).byte()
    lengths = torch.full((N,), T)
    with pytest.raises(DataError, match=r"uint8.*inputs\.float\(\) / 255"):
        Sequences.from_padded(pixels, lengths)
    flat = Sequences.from_padded(pixels[..., 0], lengths)
    for kind in ("image", "series"):
        with pytest.raises(DataError, match=rf"kind={kind}.*inputs\.float\(\) / 255"):
            make_data(of(CLASSES, sequences=flat, kind=kind))
    data = make_data(of(CLASSES, sequences=flat, kind="tokens"))
    assert torch.equal(data.fetch(torch.arange(N)).inputs, pixels[..., 0].long())
    with pytest.raises(TypeError, match="kind"):
        LoadedData(flat, CLASSES, 90, "toy")
    with pytest.raises(ConfigurationError, match=r"kind: expected .*tokens.*'text'"):
        make_data(of(CLASSES, sequences=flat, kind="text"))


class Foreign(pl.LightningModule):
    """A network that knows nothing of this package."""

    def __init__(self, n_outputs):
        super().__init__()
        self.rnn, self.head = nn.GRU(F, 6, batch_first=True), nn.Linear(6, n_outputs)

    def forward(self, inputs):
        return self.head(self.rnn(inputs)[0][:, -1])


def ours(n_outputs):
    return SequenceClassifier(F, n_outputs, hidden_size=6)


@pytest.mark.parametrize(
    ("make", "n_outputs"), [(Foreign, 1), (Foreign, 2), (Foreign, 5), (ours, 2), (ours, 5)]
)
def test_classes_and_outputs_that_differ_are_refused_with_both_numbers(make_data, make, n_outputs):
    data = make_data(of(CLASSES))
    with pytest.raises(ConfigurationError, match="the last layer of the network") as refused:
        verified(make(n_outputs), data)
    assert "3 classes" in str(refused.value)
    found = re.search(r"its head has (\d) outputs|'logits': \(7, (\d)\)", str(refused.value))
    assert str(n_outputs) in found.groups()
    assert verified(make(C), data).readout


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (torch.eye(C)[:2], "one-hot"),
        (torch.tensor([0.5, 1.0]), "whole numbers"),
        (torch.tensor([1, 3]), "must lie in 0 .. 2"),
        (torch.tensor([1]), "2 inputs and 1 labels"),
    ],
)
def test_labels_of_changes_are_held_to_the_same(make_data, label, words):
    data = make_data(of(CLASSES))
    new = torch.rand(2, T, F)
    with pytest.raises(DataError) as refused:
        data.apply(Changes(new, torch.full((2,), T), label))
    assert words in str(refused.value)
    assert "Changes" in str(refused.value)
    if len(label) == 2:
        with pytest.raises(DataError, match="new_label"):
            data.apply(Changes(relabelled=torch.tensor([0, 1]), new_label=label))
    with pytest.raises(DataError, match="0 inputs and 2 labels"):
        data.apply(Changes(label=torch.tensor([0, 1])))
    assert data.n_injected == 0


def test_labels_of_changes_are_cast(make_data):
    data = make_data(of(CLASSES))
    new = torch.rand(2, T, F)
    index = data.apply(Changes(new, torch.full((2,), T), torch.tensor([[2.0], [1.0]])))
    data.apply(Changes(relabelled=index[:1], new_label=torch.tensor([0], dtype=torch.int32)))
    found = data.fetch(index).label
    assert found.dtype == torch.int64
    assert found.tolist() == [0, 1]


def test_one_label_a_step_is_refused_by_the_network_too(make_data):
    data = make_data(of(CLASSES))
    data.spec = replace(data.spec, target="step")
    with pytest.raises(ConfigurationError, match=r"a label for each step.*one label a sequence"):
        verified(SequenceClassifier(F, C, hidden_size=6), data)
