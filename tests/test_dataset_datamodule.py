"""Data sets in the user's form: read and trained on as they are, injected in the same form."""

import numpy as np
import pytest
import torch
from torch.utils.data import (
    DataLoader,
    Dataset,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
)

from rnnrepair.datamodules import Augmentation, DatasetDataModule, LoadedData, Sequences
from rnnrepair.datamodules.item_form import form_of
from rnnrepair.edits import SeriesEdits
from rnnrepair.protocols import RepairableData
from rnnrepair.sequences import Changes, EditRegion, Names
from tests.item_forms import FORMS, LABEL, STATIC, C, F, N, T, items_of, second

N_TRAIN = 45


def module_of(name, *, setup=True, **options):
    form, items = FORMS[name], items_of(name)
    given = {"batch_size": 8, "collate_fn": form.collate, "progress": False}
    data = DatasetDataModule(
        items[:N_TRAIN], items[N_TRAIN:], **(given | (form.options or {}) | options)
    )
    if setup:
        data.setup()
    return data


def same(left, right):
    """Whether two batches or items are of the same form, types and numbers."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, tuple | list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, torch.Tensor):
        alike = left.dtype == right.dtype and left.shape == right.shape
        return alike and torch.allclose(left, right, rtol=0, atol=0, equal_nan=True)
    if isinstance(left, np.ndarray):
        alike = left.dtype == right.dtype and left.shape == right.shape
        return alike and np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
    return left == right


@pytest.mark.parametrize("keep_bytes", [0, 10**9], ids=["read when asked for", "kept"])
@pytest.mark.parametrize("name", FORMS)
def test_an_analysis_reads_sequences_lengths_and_labels_of_every_form(name, keep_bytes):
    form, data = FORMS[name], module_of(name, keep_bytes=keep_bytes)
    assert isinstance(data, RepairableData)
    index = torch.tensor([50, 3, 3, 44, 8])
    batch = data.fetch(index)
    assert torch.equal(batch.index, index)
    assert batch.label.tolist() == [LABEL[i] for i in index]
    assert batch.lengths.tolist() == [len(form.rows[i]) for i in index]
    for row, i in zip(batch.sequences(), index.tolist(), strict=True):
        assert torch.equal(row, form.rows[i])
    assert batch.inputs.shape[1] == form.width or form.width is None
    padding = batch.inputs[~batch.mask]
    expected = torch.full_like(padding, form.padding)
    assert torch.allclose(padding, expected, rtol=0, atol=0, equal_nan=True)
    assert data.spec.n_classes == C
    assert data.spec.step_width == (form.rows[0].shape[1] if form.rows[0].dim() > 1 else 1)
    assert sum(data.sizes().values()) == N


@pytest.mark.parametrize("name", FORMS)
def test_training_and_validation_batches_are_the_users_own(name):
    data, items = module_of(name), items_of(name)
    collate = FORMS[name].collate or default_collate
    loader = data.train_dataloader()
    loader.sampler.set_epoch(3)
    plans = list(loader.sampler)
    assert sorted(torch.cat([p.index for p in plans]).tolist()) == data.indices("fit").tolist()
    for plan, batch in zip(plans, loader, strict=True):
        assert same(batch, collate([items[i] for i in plan.index]))
    for split, batches in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
        (batch,) = batches
        assert same(batch, collate([items[i] for i in data.indices(split)]))


@pytest.mark.parametrize("keep_bytes", [0, 10**9], ids=["read when asked for", "kept"])
@pytest.mark.parametrize("name", FORMS)
def test_injected_samples_come_in_the_users_form_and_take_over_all_else(name, keep_bytes):
    data, items = module_of(name, keep_bytes=keep_bytes), items_of(name)
    parent = data.indices("fit")[[4, 9]]
    batch = data.fetch(parent)
    moved = batch.inputs + 1
    label = (batch.label + 1) % C
    new = data.apply(Changes(moved, batch.lengths, label, origin=parent))
    seen = data.fetch(new)
    for got, sent, n in zip(seen.sequences(), moved, batch.lengths, strict=True):
        assert torch.equal(got, sent[:n])
    made = data.training_batches().forming.items(torch.cat([new, parent]))
    assert all(same(got, items[i]) for got, i in zip(made[2:], parent.tolist(), strict=True))
    form = data.form
    for item, i, sent, n, y in zip(
        made, parent.tolist(), moved, batch.lengths, label, strict=False
    ):
        assert form_of(item) == form_of(items[i])
        read = form.read(item)
        assert torch.equal(read.sequence, sent[:n])
        assert (read.label, len(read.sequence)) == (int(y), int(n))
        # What the form does not write is as it was, in its own type.
        back = form.write(item, FORMS[name].rows[i], LABEL[i])
        assert same(back, items[i])
    epoch = torch.cat([plan.index for plan in data.train_dataloader().sampler])
    assert torch.isin(new, epoch).all()


def further_of(data, index):
    batch = data.fetch(torch.tensor(index))
    return batch.static, batch.beside


@pytest.mark.parametrize("keep_bytes", [0, 10**9], ids=["read when asked for", "kept"])
def test_further_inputs_travel_with_their_sample(keep_bytes):
    data = module_of("static vector", keep_bytes=keep_bytes)
    static, beside = further_of(data, [7, 50])
    assert not beside
    assert torch.equal(static["1"], STATIC[[7, 50]])
    parent = data.fetch(torch.tensor([7, 9]))
    new = data.apply(Changes(parent.inputs * 2, parent.lengths, parent.label, origin=parent.index))
    again = data.apply(  # made of a sample that was injected
        Changes(parent.inputs * 3, parent.lengths, parent.label, origin=new.flip(0))
    )
    static, _ = further_of(data, [int(new[1]), 50, int(again[0]), int(again[1])])
    assert torch.equal(static["1"], STATIC[[9, 50, 9, 7]])
    data.take_back()
    assert data.n_injected == 2

    data = module_of("second sequence", keep_bytes=keep_bytes)
    static, beside = further_of(data, [7, 1])
    assert not static
    assert beside["other"].shape == (2, 9, 2)
    assert torch.equal(beside["other"][1, :3], second(1))
    assert not beside["other"][1, 3:].any()


def plain(make_data, name="static vector", **options):
    rows = FORMS[name].rows
    inputs, lengths = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), map(len, rows)
    sequences = Sequences.from_padded(inputs, torch.tensor(list(lengths)))
    loaded = LoadedData(sequences, torch.tensor(LABEL), N_TRAIN, "rows", "series")
    return make_data(loaded, num_classes=C, batch_size=8, bucket_batches=1, **options)


@pytest.mark.parametrize("name", ["tensors of one length", "with its length"])
def test_splits_batches_and_what_is_fetched_are_those_of_sequences_in_memory(make_data, name):
    one, other = module_of(name), plain(make_data, name)
    for data in (one, other):
        parent = data.fetch(data.indices("fit")[:3])
        data.apply(Changes(parent.inputs / 2, parent.lengths, parent.label, origin=parent.index))
    for split in ("fit", "repair", "val", "test"):
        assert torch.equal(one.indices(split), other.indices(split))
        for left, right in zip(one.loader(split), other.loader(split), strict=True):
            assert all(map(torch.equal, *(list(vars(b).values())[:4] for b in (left, right))))
    loaders = [data.train_dataloader() for data in (one, other)]
    for epoch in (0, 5):
        for loader in loaders:
            loader.sampler.set_epoch(epoch)
        for left, right in zip(*loaders, strict=True):
            assert torch.equal(left[0], right.inputs)
            assert torch.equal(left[-1], right.label)


def test_augmentation_edits_users_batches_as_it_edits_sequences(make_data):
    augmentation = Augmentation(0.5, SeriesEdits())
    name = "with its length"
    one, other = (
        module_of(name, augmentation=augmentation),
        plain(make_data, name, augmentation=augmentation),
    )
    edited = 0
    for left, right in zip(one.train_dataloader(), other.train_dataloader(), strict=True):
        assert torch.equal(left[0], right.inputs)
        assert torch.equal(left[1], right.lengths)
        edited += int((left[0] != other.fetch(right.index).inputs).any())
    assert edited


def test_users_batches_are_redrawn_as_sequences_are(make_data):
    name = "with its length"
    one, other = module_of(name), plain(make_data, name)
    for data in (one, other):
        parent = data.fetch(data.indices("fit")[:9])
        data.apply(
            Changes(
                *(parent.inputs, parent.lengths, parent.label),
                origin=parent.index,
                region=torch.zeros(9, dtype=torch.int64),
                regions=(EditRegion("drift_0-0", 0.6, 0.9),),
            )
        )
    edited = 0
    for left, right in zip(one.train_dataloader(), other.train_dataloader(), strict=True):
        assert torch.equal(left[0], right.inputs)
        assert torch.equal(left[1], right.lengths)
        edited += int((left[0] != other.fetch(right.index).inputs).flatten(1).any(1).sum())
    assert edited == 9


def test_relabelled_items_are_trained_on_with_their_new_label():
    data = module_of("dict")
    index = data.indices("fit")[:2]
    new = (data.fetch(index).label + 1) % C
    data.apply(Changes(relabelled=index, new_label=new))
    made = data.training_batches().forming.items(index)
    assert [item["y"] for item in made] == new.tolist()
    assert made[0]["name"] == f"no. {int(index[0])}"


def test_state_restores_injected_items_and_is_refused_for_other_data():
    data = module_of("static vector")
    parent = data.fetch(data.indices("fit")[:2])
    new = data.apply(Changes(parent.inputs + 1, parent.lengths, parent.label, origin=parent.index))
    resumed = module_of("static vector")
    resumed.load_state_dict(data.state_dict())
    for left, right in zip(
        *(d.training_batches().forming.items(new) for d in (data, resumed)), strict=True
    ):
        assert same(left, right)
    assert same(list(data.train_dataloader()), list(resumed.train_dataloader()))
    with pytest.raises(ValueError, match="other data"):
        module_of("tensors of one length").load_state_dict(data.state_dict())


class Slow(Dataset):
    """Counts how often its items are asked for."""

    def __init__(self, n):
        self.n, self.asked = n, 0

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        self.asked += 1
        return FORMS["with its length"].make(i)


def test_items_are_read_once_and_a_batch_asks_for_its_own_only():
    train = Slow(N_TRAIN)
    data = DatasetDataModule(
        train, Slow(9), batch_size=8, collate_fn=FORMS["with its length"].collate, progress=False
    )
    data.setup()
    asked = train.asked
    for split in ("fit", "repair", "val"):
        list(data.loader(split))
    assert train.asked == asked
    assert asked <= 2 * N_TRAIN + 60  # each once, and those that were tried
    next(iter(data.train_dataloader()))
    assert train.asked == asked + 8


def test_many_items_are_asked_for_at_once_where_the_data_set_gives_them():
    inputs = torch.stack(FORMS["tensors of one length"].rows)
    train = TensorDataset(inputs[:N_TRAIN], torch.tensor(LABEL[:N_TRAIN]))
    asked = []
    train.__getitems__ = lambda index: (asked.append(index), [train[i] for i in index])[1]
    test = [(rows, label) for rows, label in zip(inputs[N_TRAIN:], LABEL[N_TRAIN:], strict=True)]
    data = DatasetDataModule(train, test, batch_size=8, progress=False)
    data.setup()
    asked.clear()
    list(data.train_dataloader())
    assert [len(index) for index in asked] == [8, 8, 8, 8, 3]
    assert sorted(i for index in asked for i in index) == data.indices("fit").tolist()


def stacks_arrays(items):
    return [np.stack([np.asarray(x) for x, _ in items]), np.array([y for _, y in items])]


def test_batches_that_are_no_tensors_stay_what_collate_fn_made():
    data = module_of("tensors of one length", collate_fn=stacks_arrays)
    for batch in data.train_dataloader():
        assert all(isinstance(column, np.ndarray) for column in batch)


def test_workers_load_the_same_batches():
    one, other = (module_of("static vector", loading=o) for o in (None, {"num_workers": 1}))
    for data in (one, other):
        parent = data.fetch(data.indices("fit")[:3])
        data.apply(Changes(parent.inputs / 2, parent.lengths, parent.label, origin=parent.index))
    loader = other.train_dataloader()
    assert isinstance(loader, DataLoader)
    assert loader.num_workers == 1
    assert same(list(one.train_dataloader()), list(loader))


def test_a_sampler_draws_originals_by_its_weights_and_injected_ones_by_their_class():
    of_class = torch.tensor([1.0, 0.25, 8.0])
    sampler = WeightedRandomSampler(of_class[LABEL[:N_TRAIN]], N_TRAIN)
    data = module_of("tensors of one length", sampler=sampler)
    fit = data.indices("fit")
    parent = data.fetch(fit[data.fetch(fit).label == 1][:4])
    new = data.apply(Changes(parent.inputs, parent.lengths, parent.label, origin=parent.index))
    plans = data.train_dataloader().sampler
    drawn = []
    for epoch in range(400):
        plans.set_epoch(epoch)
        drawn.append(torch.cat([plan.index for plan in plans]))
        assert len(drawn[-1]) == len(fit) + 4
    count = torch.cat(drawn).bincount(minlength=N + 4).double()
    weight = torch.cat([of_class[data.fetch(fit).label], of_class[torch.ones(4).long()]]).double()
    expected = weight / weight.sum() * count.sum()
    index = torch.cat([fit, new])
    assert float(count[index].sum()) == float(count.sum())
    assert torch.allclose(count[index], expected, rtol=0.25, atol=25)
    plans.set_epoch(7)
    assert torch.equal(torch.cat([plan.index for plan in plans]), drawn[7])


def test_a_relabelled_item_is_drawn_like_its_new_class():
    of_class = torch.tensor([1.0, 0.25, 8.0])
    data = module_of("tensors of one length", sampler=of_class[LABEL[:N_TRAIN]].tolist())
    fit, none = data.indices("fit"), torch.empty(0).long()
    rare = fit[data.fetch(fit).label == 2][:3]
    data.apply(Changes(relabelled=rare, new_label=torch.zeros(3).long()))
    label = data.fetch(fit).label
    assert torch.equal(data.chance_of(fit, none), of_class[label].double())


def test_weights_alone_are_a_sampler_and_repair_items_keep_theirs():
    weights = torch.arange(N_TRAIN) + 1
    data = module_of("tensors of one length", sampler=weights.tolist())
    originals = torch.cat([data.indices("fit"), data.indices("repair")])
    chance = data.chance_of(originals, torch.empty(0).long())
    assert torch.equal(chance, weights[originals].double())


def test_the_form_is_told_in_one_line(caplog):
    with caplog.at_level("INFO"):
        data = module_of("tokens with a mask")
    (line,) = [r.getMessage() for r in caplog.records if "Items of" in r.getMessage()]
    assert "\n" not in line
    for word in ("input_ids", "tokens", "attention_mask", "labels", "12 steps"):
        assert word in line
    assert data.form.told in line


def test_places_can_be_told():
    items = [(torch.rand(T, F), i % C, 2 + i % 2) for i in range(N)]  # which number is the class?
    data = DatasetDataModule(
        items[:-9], items[-9:], fields={"label": 1}, progress=False, kind="image", source="scans"
    )
    data.setup()
    assert data.fetch(torch.arange(6)).label.tolist() == [0, 1, 2, 0, 1, 2]
    assert data.spec.kind == "image"
    assert data.source == "scans"


@pytest.mark.parametrize("between", ["", " "])
def test_tokens_are_joined_as_the_user_says(between):
    names = [chr(0x4E00 + i) for i in range(100)]
    data = module_of("tokens", token_names=names, between_tokens=between)
    tokens = data.fetch(torch.tensor([3])).inputs[0, :3]
    expected = between.join(names[token] for token in tokens.tolist())
    assert Names.of(data.spec).text_of(tokens) == expected


@pytest.mark.parametrize(("in_front", "told"), [(True, True), (False, False)])
def test_a_mask_of_padding_in_front_is_warned_of(caplog, in_front, told):
    g = torch.Generator().manual_seed(0)
    items = []
    for i in range(60):
        x, mask = torch.randn(9, F, generator=g), torch.zeros(9)
        real = slice(3, None) if in_front else slice(None, 6)
        mask[real] = 1
        items.append({"x": x * mask[:, None], "mask": mask, "y": i % C})
    data = DatasetDataModule(items[:N_TRAIN], items[N_TRAIN:], progress=False)
    data.setup()
    assert ("'mask' is called a mask, and its zeros stand in front of" in caplog.text) is told


def test_a_mask_of_readings_that_are_there_is_not_taken_for_padding(caplog):
    g = torch.Generator().manual_seed(0)
    items = [
        {"x": torch.randn(9, F, generator=g), "mask": (torch.rand(9, F, generator=g) < 0.8).float()}
        | {"y": i % C}
        for i in range(60)
    ]
    DatasetDataModule(items[:N_TRAIN], items[N_TRAIN:], progress=False).setup()
    assert "is called a mask" not in caplog.text
