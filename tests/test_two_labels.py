"""Inputs that stand in training with several labels are counted, against a count by hand."""

from dataclasses import dataclass, field

import pytest
import torch

from rnnrepair.explanation.two_labels import two_labels
from rnnrepair.sequences import DataSpec, Kind, SequenceBatch
from rnnrepair.traces import Traces

TRAINING, TEST = torch.arange(12), torch.arange(12, 18)


@dataclass
class Data:
    """18 sequences of 5 steps, padded with what differs."""

    label: torch.Tensor
    inputs: torch.Tensor
    static: dict = field(default_factory=dict)
    beside: dict = field(default_factory=dict)
    spec: DataSpec = field(default_factory=lambda: DataSpec(Kind.SERIES, 2, 3))

    def fetch(self, index):
        padding = torch.rand(len(index), 2, 2, generator=torch.Generator().manual_seed(len(index)))
        inputs = torch.cat([self.inputs[index], padding], 1)
        static = {name: values[index] for name, values in self.static.items()}
        beside = {
            name: torch.cat([values[index], padding], 1) for name, values in self.beside.items()
        }
        lengths = torch.full((len(index),), 5)
        return SequenceBatch(index, inputs, lengths, self.label[index], static, beside)


def traces_of(data, index, wrong=()):
    label = data.label[index]
    prediction = label.clone()
    prediction[list(wrong)] += 1
    steps = torch.arange(len(index) + 1)
    return Traces(torch.zeros(len(index)), prediction, steps, index, label, 1, 3)


def told_of(data, wrong=(0, 1, 2)):
    return two_labels(data, traces_of(data, TRAINING), traces_of(data, TEST, wrong), "test")


@pytest.fixture
def data():
    g = torch.Generator().manual_seed(0)
    return Data(torch.arange(18) % 3, torch.rand(18, 5, 2, generator=g))


def test_nothing_is_told_where_every_input_has_one_label(data):
    assert told_of(data) == ""
    data.inputs[3] = data.inputs[0]  # of the same class
    assert told_of(data) == ""


def test_inputs_of_several_labels_are_counted_with_the_failures_that_are_such(data):
    data.inputs[[1, 4]] = data.inputs[0].clone()  # classes 0, 1, 1
    data.inputs[7] = data.inputs[6]  # 0, 1
    data.inputs[[12, 13, 16]] = data.inputs[0].clone()
    told = told_of(data)
    assert told.startswith(
        "2 different inputs stand in training with several labels (5 samples, most often 0 and 1)."
    )
    assert "2 of the 3 failures of test are such inputs" in told
    assert "1 of the 1 failures of test is such an input" in told_of(data, wrong=(0,))
    assert told_of(data, wrong=(2,)).endswith("No failure of test is one of them.")


@pytest.mark.parametrize("further", ["static", "beside"])
def test_what_else_a_network_is_given_tells_inputs_apart(data, further):
    data.inputs[1] = data.inputs[0]
    assert told_of(data).startswith("1 input stands in training with several labels (2 samples")
    shape = (18, 5, 2) if further == "beside" else (18, 2)
    values = torch.zeros(shape)
    setattr(data, further, {"more": values})
    assert told_of(data).startswith("1 input stands")
    values[1] += 1
    assert told_of(data) == ""
