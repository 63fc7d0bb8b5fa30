"""Labels and inputs as people have them."""

import numpy as np
import pytest
import torch

from rnnrepair.datamodules import LoadedData, Sequences
from rnnrepair.datamodules.labels import class_numbers
from rnnrepair.errors import DataError

WANTED = [0, 2, 1, 1]


@pytest.mark.parametrize(
    "label",
    [
        torch.tensor(WANTED),
        torch.tensor(WANTED, dtype=torch.int32),
        torch.tensor(WANTED, dtype=torch.uint8),
        torch.tensor(WANTED).float(),
        torch.tensor(WANTED)[:, None],
        np.array(WANTED),
        np.array(WANTED, dtype=np.float64),
        WANTED,
    ],
)
def test_whole_numbers_of_any_type_are_taken(label):
    number = class_numbers(label, 3, "toy")
    assert number.dtype == torch.int64
    assert number.tolist() == WANTED


def test_truth_values_are_two_classes():
    assert class_numbers(torch.tensor([True, False]), 2, "toy").tolist() == [1, 0]


@pytest.mark.parametrize(
    ("label", "n_classes", "message"),
    [
        (torch.eye(3), 3, r"one-hot, \(3, 3\): give their numbers, labels.argmax\(1\)"),
        (torch.tensor([[0.2, 0.8], [0.5, 0.5]]), 2, "shares of classes"),
        (torch.tensor([[1, 1, 0], [0, 1, 0]]), 3, "several classes a sequence"),
        (torch.zeros(4, 9), 3, "one label a step"),
        (torch.zeros(4, 9, 3), 3, r"expected \(n,\): one class a sequence"),
        (torch.tensor([0.5, 1.0]), 2, "not whole numbers, such as 0.5.*Real-valued targets"),
        (torch.tensor([0.0, torch.nan]), 2, "not whole numbers"),
        (torch.tensor([1, 2, 3]), 3, r"begin with 1; give labels - 1"),
        (torch.tensor([-1, 1, 1]), 2, r"-1 and 1; give \(labels \+ 1\) // 2"),
        (torch.tensor([0, 4]), 3, "1 of 2 above 2: mend it, or.*set num_classes=5"),
        (torch.tensor([-7, 2]), 3, "where -7 stands for that, else number the classes from 0"),
        (["cat", "dog"], 2, "expected whole numbers: number the classes.*class_names"),
    ],
)
def test_other_labels_are_refused_with_what_to_do(label, n_classes, message):
    with pytest.raises(DataError, match=f"(?s)toy: .*{message}"):
        class_numbers(label, n_classes, "toy")


def test_a_data_module_takes_labels_of_any_type(make_data, loaded):
    from dataclasses import replace

    data = make_data(replace(loaded, label=loaded.label.float()[:, None].numpy()))
    assert torch.equal(data.fetch(torch.arange(120)).label, loaded.label)


def test_inputs_of_other_types_and_one_feature_a_step():
    inputs = np.random.default_rng(0).random((4, 5))
    sequences = Sequences.from_padded(inputs, np.array([5, 3, 2, 5]))
    assert sequences.values.dtype == torch.float32
    assert sequences.values.shape == (15, 1)
    kept, _ = sequences.take(torch.tensor([1]))
    torch.testing.assert_close(kept[0, :, 0], torch.tensor(inputs[1, :3]).float())


def test_inputs_without_a_layout_are_refused():
    with pytest.raises(DataError, match=r"shape \(4, 5, 2\) and type torch.int64, expected floats"):
        Sequences.from_padded(torch.ones(4, 5, 2).long(), torch.full((4,), 5))


@pytest.mark.parametrize("kind", ["tokens", "series", "image"])
def test_a_kind_that_contradicts_the_values_is_refused(make_data, kind):
    values = torch.rand(120, 5, 2) if kind == "tokens" else torch.ones(120, 5).byte()
    sequences = Sequences.from_padded(values, torch.full((120,), 5))
    data = LoadedData(sequences, torch.arange(120) % 3, 90, "toy", kind)
    with pytest.raises(DataError, match=f"kind={kind}, and the values are"):
        make_data(data)
