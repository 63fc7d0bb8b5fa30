"""A class that is scarce, and copies with another label: what is planted, and what stays."""

import pytest
import torch

from rnnrepair.datamodules import DatasetDataModule, PlantedCopies, PlantedLabels, ScarceClass
from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.sequences import Changes

SPLITS = ("fit", "repair", "val", "test")


def test_a_share_of_the_class_is_left_and_all_others_are(make_data):
    clean, data = make_data(), make_data(fault=ScarceClass(1, keep=0.25, seed=3))
    for split in SPLITS:
        before, after = clean.indices(split), data.indices(split)
        n = clean.labels_of(before).bincount(minlength=3)
        if split == "test":
            assert torch.equal(after, before)
            continue
        gone = before[~torch.isin(before, after)]
        assert len(before) - len(after) == len(gone)
        assert (clean.labels_of(gone) == 1).all()
        assert len(gone) == n[1] - max(1, round(0.25 * int(n[1])))
    assert data.mislabelled(data.indices("fit")) is None
    assert data.fingerprint != clean.fingerprint
    seen = torch.cat([batch.index for batch in data.train_dataloader()])
    assert torch.equal(seen.sort().values, data.indices("fit"))


def test_a_class_is_named_by_its_name_too_and_an_unknown_one_is_refused(make_data, loaded):
    by_number, other = (make_data(fault=ScarceClass(0, seed=s)) for s in (1, 2))
    assert len(by_number.indices("fit")) == len(other.indices("fit"))
    assert not torch.equal(by_number.indices("fit"), other.indices("fit"))
    with pytest.raises(ConfigurationError, match=r"fault: no class label='cat'"):
        make_data(fault=ScarceClass("cat"))
    with pytest.raises(ConfigurationError, match=r"fault: no split 'train'"):
        make_data(fault=ScarceClass(0, splits=["train"]))


def test_copies_of_test_samples_have_one_wrong_label_and_take_the_place_of_others(make_data):
    clean, data = make_data(), make_data(fault=PlantedCopies(0.2, copies=2, seed=4))
    fit, test = data.indices("fit"), data.indices("test")
    for split in SPLITS:
        assert torch.equal(data.indices(split), clean.indices(split))
    here, there = data.fetch(fit), clean.fetch(fit)
    changed = [
        row
        for row, (a, b) in enumerate(zip(here.sequences(), there.sequences(), strict=True))
        if a.shape != b.shape or not torch.equal(a, b)
    ]
    n_copied = round(0.2 * len(test))
    assert len(changed) == 2 * n_copied
    tests = data.fetch(test)
    given = {}
    for row in changed:
        sequence = here.sequences()[row]
        (source,) = (
            i
            for i, other in enumerate(tests.sequences())
            if other.shape == sequence.shape and torch.equal(other, sequence)
        )
        given.setdefault(source, []).append(int(here.label[row]))
        assert int(data.true_labels(fit[row : row + 1])) == int(tests.label[source])
    assert len(given) == n_copied
    for source, labels in given.items():
        assert len(labels) == 2
        assert len(set(labels)) == 1
        assert labels[0] != int(tests.label[source])
    assert data.mislabelled(fit).nonzero()[:, 0].tolist() == changed
    untouched = torch.ones(len(fit), dtype=torch.bool)
    untouched[changed] = False
    assert torch.equal(here.label[untouched], there.label[untouched])
    assert torch.equal(tests.label, clean.labels_of(test))
    assert not data.mislabelled(test).any()


def test_copies_stand_beside_planted_labels_and_survive_changes(make_data):
    data = make_data(
        fault=PlantedCopies(0.1, copies=1), planted=PlantedLabels(0.2, splits=["fit", "test"])
    )
    fit = data.indices("fit")
    wrong = data.mislabelled(fit)
    assert torch.equal(wrong, data.labels_of(fit) != data.true_labels(fit))
    data.apply(Changes(removed=fit[:2]))
    assert torch.equal(data.mislabelled(fit), wrong)


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        (lambda: ScarceClass(0, keep=0), "keep"),
        (lambda: ScarceClass(0, keep=1), "keep"),
        (lambda: PlantedCopies(1.5), "share"),
        (lambda: PlantedCopies(0.1, copies=0), "copies"),
    ],
)
def test_values_out_of_range_are_refused(planted, told):
    with pytest.raises(SettingsError, match=told):
        planted()


def test_more_copies_than_there_is_room_are_refused(make_data):
    with pytest.raises(ConfigurationError, match="lower share or copies"):
        make_data(fault=PlantedCopies(1.0, copies=50))


def test_items_of_ones_own_lose_a_class_and_are_not_copied():
    items = [(torch.randn(5, 2), i % 3) for i in range(90)]

    def make(**options):
        data = DatasetDataModule(items[:60], items[60:], batch_size=8, **options)
        data.setup()
        return data

    left = make(fault=ScarceClass(2, keep=0.1)).indices("fit")
    assert len(left) < len(make().indices("fit"))
    with pytest.raises(ConfigurationError, match="fault works on sequences in memory"):
        make(fault=PlantedCopies(0.1))
