"""Frames and series: what belongs together by the index is read by position."""

import numpy as np
import pandas as pd
import pytest
import torch

from rnnrepair.datamodules import ArrayDataModule
from rnnrepair.errors import DataError


def shuffled(n_train=8, n_test=4):
    """A frame of sequences, of which training and test rows are each in another order."""
    rows = [np.full((3, 1), i, dtype=np.float32) for i in range(n_train + n_test)]
    whole = pd.DataFrame({"x": rows, "y": np.arange(n_train + n_test) % 2})
    whole["site"] = [f"s{i}" for i in range(len(whole))]
    return whole, whole[:n_train].sample(frac=1, random_state=0), whole[n_train:][::-1]


@pytest.mark.parametrize("as_mapping", [True, False])
def test_columns_of_a_shuffled_frame_stand_in_its_order(as_mapping):
    """They are read one after another: whoever shuffles a frame gives them by its index."""
    whole, train, test = shuffled()
    arrays = (train["x"], train["y"], test["x"], test["y"])

    def given(frame):
        return {"site": frame["site"]} if as_mapping else frame[["site"]]

    told = r"columns.* has the index of x, then x_test, in another order .*reset_index\(drop=True\)"
    with pytest.raises(DataError, match=told):
        ArrayDataModule(*arrays, columns=given(whole), repair_share=0, val_share=0)
    right = whole.loc[[*train.index, *test.index]]
    data = ArrayDataModule(*arrays, columns=given(right), repair_share=0, val_share=0)
    data.setup()
    names = [f"s{int(row[0, 0])}" for row in data.fetch(torch.arange(12)).inputs]
    assert list(data.sample_columns["site"]) == names
    with pytest.raises(DataError, match="group has the index of x, then x_test, in another order"):
        ArrayDataModule(*arrays, group=whole["site"], repair_share=0, val_share=0)
    # What has no index, or another one, is taken as it comes.
    for columns in ({"site": right["site"].tolist()}, {"site": right["site"].add_prefix("row ")}):
        data = ArrayDataModule(*arrays, columns=columns, repair_share=0, val_share=0)
        data.setup()
        assert list(data.sample_columns["site"]) == names


def test_labels_of_a_shuffled_series_stand_in_its_order():
    whole, train, test = shuffled()
    in_order = whole["y"][: len(train)]
    with pytest.raises(DataError, match="y has the index of x in another order"):
        ArrayDataModule(train["x"], in_order, test["x"], test["y"])
    with pytest.raises(DataError, match="y_test has the index of x_test in another order"):
        ArrayDataModule(train["x"], train["y"], test["x"], test["y"][::-1])
    mixed = train.set_axis([0, "a", 2, 3, 4, 5, 6, 7])
    with pytest.raises(DataError, match=r"in another order .7 instead of 0 at position 0"):
        ArrayDataModule(mixed["x"], mixed["y"][::-1], test["x"], test["y"])
