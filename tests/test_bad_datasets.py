"""Data sets that cannot be repaired on: one message before training, with what to write."""

import numpy as np
import pytest
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    WeightedRandomSampler,
)

from rnnrepair.callbacks.repair_checks import check_edits
from rnnrepair.datamodules import DatasetDataModule
from rnnrepair.errors import DataError
from rnnrepair.repair import FailureRepair, InsertionRepair
from rnnrepair.sequences import Changes
from tests.item_forms import FORMS, LABEL, ROWS, WHOLE, C, F, N, T, filled, items_of, pads

WITH_LENGTH = items_of("with its length")
WHOLE_ITEMS = items_of("tensors of one length")


def refusal(train, test=None, **options):
    """The message of a refusal in ``setup``."""
    data = DatasetDataModule(train, test or WHOLE_ITEMS, progress=False, **options)
    with pytest.raises(DataError) as refused:
        data.setup()
    return str(refused.value)


class Stream(IterableDataset):
    def __iter__(self):
        yield from WHOLE_ITEMS


class NoLength(Dataset):
    def __getitem__(self, i):
        return WHOLE_ITEMS[i]


class Breaks(Dataset):
    def __len__(self):
        return N

    def __getitem__(self, i):
        if i == 37:
            raise OSError("no such file: 37.wav")
        return WHOLE_ITEMS[i]


def test_labels_that_begin_with_1_are_refused_with_what_to_write():
    items = [(x, y + 1) for x, y in WHOLE_ITEMS]
    message = refusal(items, items)
    assert "begin with 1" in message
    assert "labels - 1" in message


def changed(items, index, item):
    return [*items[:index], item, *items[index + 1 :]]


@pytest.mark.parametrize(
    ("train", "words"),
    [
        (Stream(), ["train is Stream", "no length and no index", "train=list(dataset)"]),
        (NoLength(), ["train is NoLength", "__len__"]),
        ([], ["train is empty"]),
        (DataLoader(WHOLE_ITEMS), ["train=loader.dataset", "collate_fn"]),
        (
            [{"x": x, "kind": y, "patient": i // 3} for i, (x, y) in enumerate(WHOLE_ITEMS)],
            ["['kind', 'patient']", "fields="],
        ),
        (Breaks(), ["Item 37 of train", "OSError", "37.wav"]),
        (
            changed(WHOLE_ITEMS, 31, (WHOLE[31][:, :2], 0)),
            ["item 0 of train is", "item 31 of train is", "(9, 2)"],
        ),
        (
            changed(WHOLE_ITEMS, 31, (WHOLE[31], 0, 0)),
            ["item 0 of train is", "item 31 of train is", "form"],
        ),
        (changed(WHOLE_ITEMS, 31, WHOLE[31]), ["item 31", "(inputs, label)"]),
        (changed(WHOLE_ITEMS, 31, (WHOLE[31], "cat")), ["item 31 of train is", "'cat'"]),
        ([(x, 0.5 * y) for x, y in WHOLE_ITEMS], ["no label", "whole number"]),
        (
            changed(WHOLE_ITEMS, 31, (WHOLE[31] / 0, 0)),
            ["item 31 of train", " at step 1, feature 0,", "leave the sequence out"],
        ),
        ([(x, np.eye(C)[y]) for x, y in WHOLE_ITEMS], ["no label", "y.argmax()"]),
        ([(x, torch.zeros(T)) for x, _ in WHOLE_ITEMS], ["no label", "fields="]),
        ([(0, y) for _, y in WHOLE_ITEMS], ["no sequence", "fields="]),
        ([(x.byte(), y) for x, y in WHOLE_ITEMS], ["uint8", "x.float() / 255"]),
        ([(torch.rand(3, 4, 5), y) for _, y in WHOLE_ITEMS], ["(3, 4, 5)", "steps, features"]),
    ],
)
def test_items_that_cannot_be_read_are_refused_by_their_index(train, words):
    message = refusal(train)
    assert [word for word in words if word not in message] == []


def test_a_length_beyond_the_padded_input_is_refused_by_its_index():
    items = [(filled(row, 0.0), len(row), y) for row, y in zip(ROWS, LABEL, strict=True)]
    message = refusal(changed(items, 29, (items[29][0], 13, 0)), items)
    assert "item 29 of train" in message
    assert "its length is 13, and its input has 12 steps" in message
    assert "0" in refusal(changed(items, 29, (items[29][0], 0, 0)), items)


def test_faults_of_the_test_set_are_told_with_its_own_index():
    message = refusal(WHOLE_ITEMS, changed(WHOLE_ITEMS, 5, (WHOLE[5] / 0, 0)))
    assert "item 5 of test" in message
    message = refusal(WHOLE_ITEMS, changed(WHOLE_ITEMS, 5, (WHOLE[5][:, :2], 0)))
    assert "item 5 of test is" in message
    assert f"item {N + 5}" not in message


def test_classes_of_the_test_set_that_training_never_saw_are_refused():
    test = [(WHOLE[0], 0), (WHOLE[1], 3), (WHOLE[2], 3)]
    message = refusal(WHOLE_ITEMS, test)
    assert "2 samples" in message
    assert "classes [3]" in message


def drops(items):
    return pads([item for item in items if len(item[0]) > 2])


def sorts(items):
    return pads(sorted(items, key=lambda item: -len(item[0])))


@pytest.mark.parametrize("n_classes", [None, 2, 12], ids=["three", "two", "twelve"])
@pytest.mark.parametrize(
    ("collate", "words"),
    [
        (drops, ["drops samples", "leave out"]),
        (sorts, ["reorders samples", "enforce_sorted=False"]),
        (None, ["collate_fn raised", "steps", "pads"]),
    ],
)
def test_a_collate_fn_that_drops_or_reorders_is_refused(collate, words, n_classes):
    items = WITH_LENGTH
    if n_classes:  # labels that are all alike or all different do not hide it
        items = [(x, n, i % n_classes) for i, (x, n, _) in enumerate(items)]
    message = refusal(items[::-1], items, collate_fn=collate, num_classes=n_classes)
    assert [word for word in words if word.lower() not in message.lower()] == []


def one_hot(items):
    inputs, lengths, label = pads(items)
    return {"inputs": inputs, "lengths": lengths, "target": torch.eye(C)[label]}


def test_a_collate_fn_whose_order_cannot_be_seen_is_told_of():
    data = DatasetDataModule(
        WITH_LENGTH[:-15], WITH_LENGTH[-15:], collate_fn=one_hot, progress=False
    )
    with pytest.warns(UserWarning, match="could not be seen"):
        data.setup()


class Noisy(Dataset):
    def __len__(self):
        return N

    def __getitem__(self, i):
        return WHOLE[i] + torch.rand(T, F), LABEL[i]


def test_items_that_differ_each_time_are_told_of_and_resume_all_the_same():
    data, again = (DatasetDataModule(Noisy(), Noisy(), progress=False) for _ in range(2))
    for each in (data, again):
        with pytest.warns(UserWarning, match="one draw"):
            each.setup()
    again.load_state_dict(data.state_dict())


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (RandomSampler(WHOLE_ITEMS), ["RandomSampler", "WeightedRandomSampler"]),
        (WeightedRandomSampler([1.0] * N, 5, replacement=False), ["with replacement"]),
        ([1.0] * 7, ["(7,)", f"{N} training items"]),
        ([-1.0] * N, ["at least 0"]),
    ],
)
def test_samplers_that_say_nothing_of_injected_samples_are_refused(sampler, words):
    message = refusal(WHOLE_ITEMS, sampler=sampler)
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("dict", {"origin": None}, ["Changes.origin is missing"]),
        ("dict", {"lengths": torch.tensor([T - 1])}, ["every item has 9"]),
        ("padded with a value", {"width": 13}, ["13 steps", "every item has 12"]),
        ("second sequence", {"lengths": torch.tensor([3])}, ["['other']", "keep the length"]),
        ("dict", {"origin": torch.tensor([121])}, ["indices 121 .. 121", "0 .. "]),
        ("dict", {"origin": torch.tensor([1, 2])}, ["2 origins and 1 labels"]),
    ],
)
def test_injected_samples_that_have_no_place_in_the_form_are_refused(name, change, words):
    form, items = FORMS[name], items_of(name)
    data = DatasetDataModule(items[:-15], items[-15:], collate_fn=form.collate, progress=False)
    data.setup()
    width = change.get("width", 9)
    lengths = change.get("lengths", torch.tensor([width]))
    origin = change.get("origin", torch.tensor([7]))
    with pytest.raises(DataError) as refused:
        data.apply(Changes(torch.rand(1, width, F), lengths, torch.tensor([0]), origin=origin))
    assert [word for word in words if word not in str(refused.value)] == []
    assert data.n_injected == 0


@pytest.mark.parametrize(
    ("name", "keeps"),
    [
        ("tensors of one length", True),
        ("second sequence", True),
        ("tokens", False),
        ("tokens with a mask", False),
        ("static vector", True),
        ("with its length", False),
    ],
)
def test_strategies_that_lengthen_are_refused_where_lengths_must_stay(name, keeps):
    items = items_of(name)
    data = DatasetDataModule(
        items[:-15], items[-15:], collate_fn=FORMS[name].collate, progress=False
    )
    data.setup()
    assert data.keeps_lengths == keeps
    # Tokens of one length, with a strategy for tokens: the only misfit is the length.
    items = [((10 * x[:, 0]).long(), y) for x, y in WHOLE_ITEMS]
    tokens = DatasetDataModule(items[:-15], items[-15:], progress=False)
    tokens.setup()
    check_edits(FailureRepair(), None, tokens)
    with pytest.raises(MisconfigurationException, match="insertion makes longer samples"):
        check_edits(InsertionRepair(), None, tokens)


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (["a"] * 7, ["7 entries", "120 sequences"]),
        ([*["a", "b"] * 59, None, "c"], ["missing for 1 sequences", "number 118"]),
        (np.array([*[1.0] * 119, np.nan]), ["missing", "number 119"]),
    ],
)
def test_groups_that_say_nothing_of_some_items_are_refused(group, words):
    message = refusal(WHOLE_ITEMS, group=group)
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (LABEL, ["groups are the labels", "beside their class"]),
        ([f"class {y}" for y in LABEL], ["groups are the labels"]),
        (["ward"] * N, ["all sequences are of one group", "'ward'", "or None"]),
        (np.arange(N) // 4, ["1 groups stand in training and in an official val or test set"]),
    ],
)
def test_groups_that_no_split_can_keep_are_refused(group, words):
    message = refusal(WHOLE_ITEMS[:-6], WHOLE_ITEMS[-6:], group=group)
    assert [word for word in words if word not in message] == []


def test_groups_and_copies_are_handed_on_as_numbers():
    names = np.array(["ann", "bob", "ann", *["eve"] * (2 * N - 3)])
    loaded = DatasetDataModule(WHOLE_ITEMS, WHOLE_ITEMS, group=names, progress=False).load()
    assert loaded.groups.tolist() == [0, 1, 0, *[2] * (2 * N - 3)]
    assert loaded.sequences.copies().tolist() == [*range(N), *range(N)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"inptus": 0}, ["'inptus': 0", "further inputs", "'inputs'"]),
        ({"label": 5}, ["5", "[0, 1]"]),
        ({"label": 0}, ["no sequence", "fields="]),
    ],
)
def test_places_that_do_not_exist_are_refused(fields, words):
    message = refusal(WHOLE_ITEMS, fields=fields)
    assert [word for word in words if word not in message] == []
