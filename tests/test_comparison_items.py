"""The file of test items: what comes back is what was written, or a refusal."""

import re

import numpy as np
import pytest

from rnnrepair.errors import DataError
from rnnrepair.report.comparison import ItemPredictions, read_items, write_items


def some(n, *, classes=10, start=0):
    rng = np.random.default_rng(n)
    index = start + np.arange(n) * 3
    return ItemPredictions(index, *rng.integers(classes, size=(3, n)))


def test_items_come_back_as_they_were(tmp_path):
    written = {"test": some(50), "test_rare": some(7, classes=300, start=70_000)}
    write_items(tmp_path / "items.npz", written)
    read = read_items(tmp_path / "items.npz")
    assert read.keys() == written.keys()
    for split, items in written.items():
        for name, array in items.arrays().items():
            np.testing.assert_array_equal(getattr(read[split], name), array)
            assert getattr(read[split], name).dtype == np.int64


def test_numbers_are_kept_in_the_smallest_unsigned_types(tmp_path):
    write_items(tmp_path / "items.npz", {"test": some(50, start=70_000)})
    with np.load(tmp_path / "items.npz", allow_pickle=False) as file:
        types = {key: file[key].dtype for key in file.files}
    assert types["test/index"] == np.uint32
    assert types["test/label"] == types["test/before"] == types["test/after"] == np.uint8


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([0, 1], [0, 1], [0, 1], [0]), "one shape"),
        (([], [], [], []), "one shape"),
        (([1, 0], [0, 1], [0, 1], [0, 1]), "ascending"),
        (([1, 1], [0, 1], [0, 1], [0, 1]), "ascending"),
        (([0, 1], [0, -1], [0, 1], [0, 1]), re.escape("['label']")),
    ],
)
def test_items_that_cannot_be_paired_are_refused(arrays, message):
    with pytest.raises(DataError, match=message):
        ItemPredictions(*(np.array(a, int) for a in arrays))


def test_a_run_without_the_test_split_is_refused(tmp_path):
    with pytest.raises(DataError, match="test_rare"):
        write_items(tmp_path / "items.npz", {"test_rare": some(5)})


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "items.npz"
    write_items(path, {"test": some(5)})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="not a file of test items"):
        read_items(path)
    np.savez(tmp_path / "other.npz", **{"test/index": np.arange(3)})
    with pytest.raises(DataError, match="not a file of test items"):
        read_items(tmp_path / "other.npz")
