"""A store of changes, against a plain list that is rebuilt from scratch."""

import pytest
import torch

from rnnrepair.datamodules import Sequences
from rnnrepair.datamodules.store import Store
from rnnrepair.errors import DataError
from rnnrepair.sequences import Changes


def padded(rows, padding=0):
    width = max(map(len, rows))
    lengths = torch.tensor([len(row) for row in rows])
    return torch.tensor([row + [padding] * (width - len(row)) for row in rows]), lengths


BASE = [[5, 6, 7], [8], [9, 2], [3, 4, 5, 6]]
NEW = [[7, 7], [1, 2, 3, 4, 5]]


def store():
    return Store(Sequences.from_padded(*padded(BASE), padding=1), torch.tensor([0, 1, 2, 0]))


def rows_of(batch):
    return [row.tolist() for row in batch.sequences()]


def add(rows, label):
    return Changes(*padded(rows), torch.tensor(label))


def test_sequences_are_fetched_from_base_and_changes_in_any_order():
    data = store()
    assert data.apply(add(NEW, [2, 1]), 3).tolist() == [4, 5]
    assert data.apply(add([[6]], [0]), 3).tolist() == [6]
    every = [*BASE, *NEW, [6]]
    for index in ([0, 1], [5, 0, 6, 4], [6], [4, 5, 6], [3, 3, 5]):
        batch = data.fetch(torch.tensor(index))
        assert rows_of(batch) == [every[i] for i in index]
        assert batch.label.tolist() == [[0, 1, 2, 0, 2, 1, 0][i] for i in index]
        assert (batch.inputs[~batch.mask] == 1).all()
        assert data.lengths_of(batch.index).tolist() == [len(every[i]) for i in index]


def test_the_base_is_never_copied():
    """Ten new digits once copied 188 MB, and a resumed run five times the data."""
    data = store()
    values, label = data.base.values.data_ptr(), data._base_label.data_ptr()
    data.apply(add(NEW, [2, 1]), 3)
    data.apply(Changes(removed=torch.tensor([1])), 3)
    assert data.base.values.data_ptr() == values
    assert data._label.data_ptr() == label
    state = data.rounds[0].state()
    numbers = [part for part in state.values() if isinstance(part, torch.Tensor)]
    assert sum(part.untyped_storage().nbytes() for part in numbers) < 200


def test_rounds_are_taken_back_one_by_one():
    data = store()
    index = torch.arange(4)
    data.apply(add(NEW, [2, 1]), 3)
    relabelled = Changes(relabelled=torch.tensor([1, 4]), new_label=torch.tensor([2, 0]))
    data.apply(relabelled, 3)
    data.apply(Changes(removed=torch.tensor([0, 5])), 3)
    data.apply(Changes(reweighted=torch.tensor([3]), weight=torch.tensor([0.25]).double()), 3)
    assert data.weight_of(index).tolist() == [1, 1, 1, 0.25]
    data.take_back()
    assert data.weight_of(index) is None
    assert data.removed.tolist() == [0, 5]
    assert data.added_index.tolist() == [4]
    data.take_back()
    assert data.added_index.tolist() == [4, 5]
    assert data.label_of(torch.arange(6)).tolist() == [0, 2, 2, 0, 0, 1]
    data.take_back()
    assert data.label_of(torch.arange(6)).tolist() == [0, 1, 2, 0, 2, 1]
    data.take_back()
    assert len(data) == 4
    assert rows_of(data.fetch(index)) == BASE


def test_rounds_are_restored_from_their_state():
    data, again = store(), store()
    data.apply(add(NEW, [2, 1]), 3)
    data.apply(Changes(relabelled=torch.tensor([0]), new_label=torch.tensor([1])), 3)
    data.apply(Changes(removed=torch.tensor([2])), 3)
    again.restore([part.state() for part in data.rounds])
    left, right = (d.fetch(torch.arange(6)) for d in (data, again))
    assert rows_of(left) == rows_of(right)
    assert torch.equal(left.label, right.label)
    assert torch.equal(data.removed, again.removed)
    again.take_back()
    assert again.removed.tolist() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (Changes(removed=torch.tensor([4])), "removed holds indices 4 .. 4, the data have 0 .. 3"),
        (Changes(relabelled=torch.tensor([1])), "1 relabelled and 0 new_label"),
        (
            Changes(relabelled=torch.tensor([1]), new_label=torch.tensor([3])),
            r"Changes\.new_label: labels must lie in 0 \.\. 2, found 3",
        ),
        (
            Changes(reweighted=torch.tensor([1]), weight=torch.tensor([1.5]).double()),
            "Weights are probabilities",
        ),
        (Changes(*padded(NEW), torch.tensor([1])), "2 inputs and 1 labels"),
    ],
)
def test_changes_that_do_not_fit_are_refused_and_change_nothing(changes, message):
    data = store()
    with pytest.raises(DataError, match=message):
        data.apply(changes, 3)
    assert len(data) == 4
    assert not data.rounds
