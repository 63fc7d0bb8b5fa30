"""A group of which few are left: which, where its test samples go, and what stays as it was."""

import pytest
import torch

from rnnrepair.datamodules import LoadedData, RareGroup, Sequences
from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.sequences import SampleNames
from tests.conftest import TensorData

N, N_TRAIN, N_VAL = 300, 180, 60
DEVICE = [f"d{i % 5}" for i in range(N)]


def series(rare, columns=None):
    g = torch.Generator().manual_seed(0)
    x, lengths = torch.rand(N, 6, 2, generator=g), 2 + torch.arange(N) % 5
    loaded = LoadedData(
        Sequences.from_padded(x, lengths),
        *(torch.arange(N) % 3, N_TRAIN, "waves", "series", N_VAL),
        names=SampleNames(1000 + torch.arange(N).numpy()),
        columns={"device": DEVICE} if columns is None else columns,
    )
    data = TensorData(loaded, 3, repair_share=0.25, rare=rare)
    data.setup()
    return data, loaded


def named(data, splits):
    return [n for split in splits for n in data.sample_names.of(data.indices(split))]


def test_few_of_the_group_are_left_and_its_test_samples_stand_apart():
    data, _ = series(RareGroup("device", "d2", keep=0.25))
    group = {1000 + i for i in range(N) if DEVICE[i] == "d2"}
    train = set(named(data, ("fit", "repair")))
    assert len(train & group) == round(0.25 * N_TRAIN / 5)
    assert train - group == {1000 + i for i in range(N_TRAIN)} - group
    assert len(set(named(data, ("val",))) & group) == round(0.25 * N_VAL / 5)
    tested = range(N_TRAIN + N_VAL, N)
    assert named(data, ("test_rare",)) == [1000 + i for i in tested if DEVICE[i] == "d2"]
    assert named(data, ("test",)) == [1000 + i for i in tested if DEVICE[i] != "d2"]
    assert data.more_tests == ("test_rare",)


def test_sequences_labels_and_columns_go_with_their_names():
    data, loaded = series(RareGroup("device", "d0", keep=0.1))
    for split in ("fit", "repair", "val", "test", "test_rare"):
        batch = data.fetch(data.indices(split))
        was = torch.tensor(data.sample_names.of(batch.index)) - 1000
        inputs, lengths = loaded.sequences.take(was)
        assert torch.equal(batch.lengths, lengths)
        n_steps = int(lengths.max())
        assert torch.equal(batch.inputs[:, :n_steps][batch.mask], inputs[:, :n_steps][batch.mask])
        assert torch.equal(batch.label, loaded.label[was])
        columns = data.sample_columns["device"]
        assert [columns[i] for i in batch.index.tolist()] == [DEVICE[i] for i in was.tolist()]


def test_the_same_are_left_in_every_seed():
    left = []
    for seed in (0, 1):
        data, loaded = series(RareGroup("device", "d1"))
        other = TensorData(loaded, 3, repair_share=0.25, seed=seed, rare=RareGroup("device", "d1"))
        other.setup()
        left.append(sorted(named(other, ("fit", "repair", "val"))))
    assert left[0] == left[1] == sorted(named(data, ("fit", "repair", "val")))


def test_texts_with_a_word_are_a_group():
    g = torch.Generator().manual_seed(1)
    tokens, lengths = torch.randint(2, 40, (N, 9), generator=g), 5 + torch.arange(N) % 5
    loaded = LoadedData(
        Sequences.from_padded(tokens, lengths, padding=1),
        *(torch.arange(N) % 2, N_TRAIN + N_VAL, "texts", "tokens"),
        token_names=[f"w{i}" for i in range(40)],
    )
    data = TensorData(loaded, 2, repair_share=0.25, rare=RareGroup(words=["w3", "w7"]))
    data.setup()
    for split in ("test", "test_rare"):
        batch = data.fetch(data.indices(split))
        holds = (torch.isin(batch.inputs, torch.tensor([3, 7])) & batch.mask).any(1)
        assert bool((holds == (split == "test_rare")).all())
    train = data.fetch(torch.cat([data.indices(s) for s in ("fit", "repair", "val")]))
    holds = (torch.isin(train.inputs, torch.tensor([3, 7])) & train.mask).any(1)
    read = torch.arange(9) < lengths[:, None]
    all_of_it = (torch.isin(tokens, torch.tensor([3, 7])) & read).any(1)[: N_TRAIN + N_VAL]
    assert int(holds.sum()) == round(0.1 * int(all_of_it.sum()))
    with pytest.raises(ConfigurationError, match=r"no words \['but'\]"):
        TensorData(loaded, 2, rare=RareGroup(words=["but"])).setup()


@pytest.mark.parametrize(
    ("rare", "told"),
    [
        (RareGroup("speaker", "anna"), r"no column 'speaker', but \['device'\]"),
        (RareGroup("device", "d9"), "0 of 180 training samples are of the group device = d9"),
    ],
)
def test_groups_that_are_not_there_are_refused(rare, told):
    with pytest.raises(ConfigurationError, match=told):
        series(rare)
    with pytest.raises(ConfigurationError, match="180 of 180"):
        series(RareGroup("device", "all"), {"device": ["all"] * N})


@pytest.mark.parametrize(
    "group",
    [{}, {"column": "device"}, {"value": "d1"}, {"column": "a", "value": "b", "words": ["c"]}],
)
def test_what_is_no_group_is_refused(group):
    with pytest.raises(SettingsError, match=r"RareGroup\.column: expected column and value, or"):
        RareGroup(**group)
