"""Wrong labels on purpose: as many as asked for, nowhere else, and the score of who finds them."""

import pytest
import torch

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.datamodules import DatasetDataModule, LoadedData, PlantedLabels, Sequences
from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.influence import suspect_labels
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.sequences import Names
from rnnrepair.studies import Breakdown, FinishedRun
from tests.conftest import trained

SPLITS = ("fit", "repair", "val", "test")


def everything(data):
    return torch.cat([data.indices(split) for split in SPLITS])


def test_every_split_has_its_share_and_nothing_else_changes(make_data):
    clean, planted = make_data(), make_data(planted=PlantedLabels(0.2, seed=5))
    for split in SPLITS:
        index = planted.indices(split)
        assert torch.equal(index, clean.indices(split))
        true, given = clean.fetch(index), planted.fetch(index)
        assert torch.equal(given.inputs, true.inputs)
        wrong = given.label != true.label
        assert int(wrong.sum()) == round(0.2 * len(index))
        assert torch.equal(planted.mislabelled(index), wrong)
    assert clean.mislabelled(clean.indices("test")) is None
    assert clean.fingerprint != planted.fingerprint


def test_training_is_given_the_wrong_labels(make_data):
    planted = make_data(planted=PlantedLabels(0.3, splits=["fit"]))
    seen = {}
    for batch in planted.train_dataloader():
        seen |= dict(zip(batch.index.tolist(), batch.label.tolist(), strict=True))
    index = planted.indices("fit")
    assert [seen[i] for i in index.tolist()] == planted.fetch(index).label.tolist()
    assert planted.mislabelled(index).sum() == round(0.3 * len(index))
    assert not planted.mislabelled(planted.indices("test")).any()


def test_every_other_class_comes_alike_or_the_next_alone():
    label, rows = torch.arange(4).repeat(3000), {"fit": torch.arange(12_000)}
    step = (PlantedLabels(0.9, splits=["fit"]).plant(label, 4, rows) - label) % 4
    counts = step.bincount(minlength=4)
    assert counts[0] == 1200
    assert counts[1:].min() > 3420  # 3,600 expected, sd 49
    step = (PlantedLabels(0.9, "pairwise", ["fit"]).plant(label, 4, rows) - label) % 4
    assert step.bincount(minlength=4).tolist() == [1200, 10_800, 0, 0]


def test_the_seed_alone_decides():
    label, rows = torch.zeros(500).long(), {"fit": torch.arange(500)}

    def plant(seed):
        return PlantedLabels(0.1, splits=["fit"], seed=seed).plant(label, 3, rows)

    assert torch.equal(plant(1), plant(1))
    assert not torch.equal(plant(1), plant(2))
    assert (label == 0).all()


def test_none_are_planted_where_the_share_is_0(make_data):
    clean, planted = make_data(), make_data(planted=PlantedLabels(0.0))
    assert planted.fingerprint == clean.fingerprint
    assert planted.mislabelled(planted.indices("test")) is None


@pytest.mark.parametrize("wrong", [{"share": 1.0}, {"share": -0.1}, {"way": "random"}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        PlantedLabels(**wrong)


def test_a_split_that_is_not_there_is_refused(make_data):
    with pytest.raises(ConfigurationError, match=r"'train'.*repair"):
        make_data(planted=PlantedLabels(splits=["train"]))


def test_items_of_a_users_own_keep_their_labels():
    items = [(torch.rand(5, 2), i % 2) for i in range(40)]
    with pytest.raises(ConfigurationError, match="planted"):
        DatasetDataModule(items, items, planted=PlantedLabels())


def test_breakdown_tells_how_many_of_them_it_names(make_data):
    data = make_data(planted=PlantedLabels(0.2), repair_share=0.2)
    network = trained(SequenceClassifier(4, 3, hidden_size=8), data)
    settings = AbstractionSettings(n_components=6, reduction_dims=3)
    found = Breakdown(odds=2)(FinishedRun(verified(network, data), data, settings))
    failures, score = found.tables["failures"], found.tables["planted"].iloc[0]
    wrong = data.mislabelled(torch.tensor(failures["index"].tolist())).numpy()
    named = failures["label suspect"].to_numpy()
    assert 0 < (named & wrong).sum() < named.sum()
    assert (failures["odds"][named] >= 2).all()
    # The true label is told where it is known.
    names = Names.of(data.spec)
    index = torch.tensor(failures["index"].tolist())
    true = [names.of_class(c) for c in data.true_labels(index).tolist()]
    assert failures["true"].tolist() == true
    assert ((failures["label"] != failures["true"]).to_numpy() == wrong).all()
    assert score["failures"] == len(failures)
    assert score["planted"] == wrong.sum()
    assert score["precision"] == (named & wrong).sum() / named.sum()
    assert score["recall"] == (named & wrong).sum() / wrong.sum()
    assert any("on purpose" in sentence for sentence in found.conclusion)


def test_breakdown_tells_how_many_labels_of_training_are_suspect(make_data, tmp_path):
    label = torch.arange(500) % 3
    inputs = label[:, None, None] + torch.rand(
        (500, 5, 4), generator=torch.Generator().manual_seed(0)
    )
    sequences = Sequences.from_padded(inputs, torch.full((500,), 5))
    loaded = LoadedData(sequences, label, 450, "tensors", "series")
    data = make_data(loaded, planted=PlantedLabels(0.2), repair_share=0.2)
    network = trained(SequenceClassifier(4, 3, hidden_size=8), data)
    run = FinishedRun(
        verified(network, data), data, AbstractionSettings(n_components=6, reduction_dims=3)
    )
    found = Breakdown()(run)
    told = " ".join(found.conclusion)
    chosen = run.chosen()
    judged = suspect_labels(run.training_view(chosen.model, chosen.traces), run.settings.seed)
    n_suspect = int(judged.suspect.sum())
    assert 0 < n_suspect < len(judged.index) == len(data.indices("fit"))
    assert f"{n_suspect} of {len(judged.index)} labels are suspect" in told
    assert f"at most {judged.rate:.1%} are wrong" in told
    # They are listed, and filled in the list is a file of corrections.
    listed = found.tables["suspects"]
    assert sorted(listed["index"]) == sorted(judged.index[judged.suspect].tolist())
    path = tmp_path / "suspects.csv"
    listed.assign(action="relabel").to_csv(path, index=False)
    mended = make_data(loaded, planted=PlantedLabels(0.2), repair_share=0.2, corrections=str(path))
    assert sorted(mended.corrected.relabelled.tolist()) == sorted(listed["index"])


def test_some_classes_alone_are_made_wrong():
    label, rows = torch.arange(4).repeat(100), {"fit": torch.arange(400)}
    planted = PlantedLabels(0.3, splits=["fit"], classes=[2]).plant(label, 4, rows)
    wrong = planted != label
    assert int(wrong.sum()) == 30
    assert (label[wrong] == 2).all()


def test_a_class_that_a_split_lacks_is_refused():
    label, rows = torch.arange(3).repeat(10), {"fit": torch.arange(30)}
    with pytest.raises(ConfigurationError, match=r"fit.*class \[3\]"):
        PlantedLabels(0.3, splits=["fit"], classes=[0, 3]).plant(label, 4, rows)
