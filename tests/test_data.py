"""Facts about the real data sets; skipped where RNNREPAIR_DATA names no folder that holds them."""

import os
from pathlib import Path

import pytest
import torch

from rnnrepair.datamodules import MNISTPublishedDataModule, MNISTRowsDataModule

FOLDER = Path(os.environ.get("RNNREPAIR_DATA", "no data folder"))
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
# Reference numbers, part C: the authors' test ids and their true labels.
TARGETS = [445, 659, 1112, 1226, 1299, 1530, 1901, 2016, 2130, 2135, 2293, 2369]
TARGETS += [2488, 2597, 2654, 3767, 3780, 3869, 4497, 8408, 9009, 9015, 9024]
TARGET_LABELS = [6, 2, 4, 7, 5, 8, 9, 7, 4, 6, 9, 5, 2, 5, 6, 7, 4, 9, 8, 8, 7, 7, 7]

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (FOLDER / "mnist").is_dir(), reason="RNNREPAIR_DATA names no folder with mnist/"
    ),
]


def test_mnist_has_the_official_class_counts():
    data = MNISTRowsDataModule(str(FOLDER), source="folder")
    data.setup()
    assert data.sizes() == {"fit": 45_000, "repair": 10_000, "val": 5_000, "test": 10_000}
    train = torch.cat([data.indices(s) for s in ("fit", "repair", "val")])
    assert torch.bincount(data.fetch(train).label).tolist() == TRAIN_COUNTS
    test = data.fetch(data.indices("test"))
    assert torch.bincount(test.label).tolist() == TEST_COUNTS
    assert 0 <= float(test.inputs.min()) < float(test.inputs.max()) <= 1


def test_published_protocol_has_the_authors_targets_and_images():
    data = MNISTPublishedDataModule(str(FOLDER), source="folder")
    data.setup()
    assert data.sizes() == {"fit": 60_161, "repair": 23, "val": 9_977, "test": 10_000}
    assert (data.indices("repair") - 60_161).tolist() == TARGETS
    assert data.fetch(data.indices("repair")).label.tolist() == TARGET_LABELS
    added = data.fetch(torch.arange(60_000, 60_161))
    assert torch.bincount(added.label, minlength=10).tolist() == [
        3, 0, 14, 0, 21, 21, 18, 42, 21, 21,
    ]  # fmt: skip
