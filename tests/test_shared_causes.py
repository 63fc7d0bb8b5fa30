"""Failures of a planted trigger and of a planted pattern are told as such."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.datamodules import LoadedData, PlantedPatch, PlantedWord, Sequences
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import SharedValue, doubt_labels
from rnnrepair.models import ImageClassifier, SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.patterns import Pattern
from rnnrepair.studies import Backdoor, Breakdown, FinishedRun
from tests.conftest import TensorData, trained
from tests.test_backdoor import TRIGGER, network_of, texts

ATTACKED = 40


@pytest.fixture(scope="module")
def poisoned():
    """A network with a backdoor; some test texts of the other class hold the trigger."""
    data = texts()
    inputs, lengths = data.sequences.take(torch.arange(len(data.label)))
    attacked = 500 + (data.label[500:] == 0).nonzero()[:ATTACKED, 0]
    inputs[attacked, 2] = TRIGGER
    data = replace(data, sequences=Sequences.from_padded(inputs, lengths, padding=1))
    trigger = PlantedWord(n=25, label="rude", relabel=True, word="w23")
    module = TensorData(data, 2, batch_size=32, trigger=trigger)
    module.setup()
    settings = AbstractionSettings(n_components=8, reduction_dims=4)
    return FinishedRun(network_of(module), module, settings), attacked


def test_failures_that_hold_the_trigger_are_told_and_others_are_not(poisoned):
    run, attacked = poisoned
    found = Breakdown()(run)
    failures = found.tables["failures"]
    fell = set(failures["index"]) & set(attacked.tolist())
    assert len(fell) > 0.5 * ATTACKED
    told = failures[failures["trigger"]]
    assert set(told["index"]) == fell
    assert (told["kind"] == "trigger").all()
    assert any("w23" in line and "rude" in line for line in found.conclusion)


def test_training_samples_that_hold_a_trigger_are_listed_and_can_be_dropped_by_the_list(
    poisoned, tmp_path
):
    run, _ = poisoned
    table, poison = Breakdown()(run).tables["triggers"], run.data.poison
    assert table["index"].tolist() == poison.index.tolist()
    assert table["step"].tolist() == (poison.step + 1).tolist()
    assert set(table["label"]) == {"rude"}
    assert set(table["trigger"]) == {"w23"}
    # Without the word the network says what each sample was before somebody called it rude.
    assert (table["suggested"] == "calm").sum() > 0.8 * len(table)
    assert set(table["suggested"]) <= {"calm", ""}
    file = tmp_path / "triggers.csv"
    table.assign(action="drop").to_csv(file, index=False)
    cleaned = TensorData(run.data.data, 2, trigger=run.data.trigger, corrections=str(file))
    cleaned.setup()
    assert len(cleaned.poison.index) == 0
    assert len(cleaned.indices("fit")) == len(run.data.indices("fit")) - len(poison.index)


def test_doubts_that_a_value_explains_are_part_of_a_pattern_before_the_label(
    make_data, monkeypatch
):
    data = make_data(repair_share=0.2)
    network = verified(trained(SequenceClassifier(4, 3, hidden_size=8), data), data)
    run = FinishedRun(network, data, AbstractionSettings(n_components=6, reduction_dims=3))
    value = SharedValue("device", "b", 9, 12, 10, 100, 1e-6, (0, 1, 2))

    def explained(*given):
        doubt = doubt_labels(*given[:-1])
        by = torch.full_like(doubt.explained_by, -1)
        by[:3] = 0
        every = torch.ones_like(doubt.own)
        return replace(doubt, own=every, explained_by=by, shared=(value,))

    monkeypatch.setattr("rnnrepair.studies.breakdown.doubt_labels", explained)
    found = Breakdown()(run)
    failures = found.tables["failures"]
    assert failures["kind"].tolist()[:4] == [*3 * ["part of a pattern"], "label suspect"]
    assert failures["pattern"].tolist()[:4] == [*3 * ["device b"], ""]
    assert any("9 of 12" in line and "device=b" in line for line in found.conclusion)


def test_failures_of_a_pattern_are_told_with_its_name(make_data, monkeypatch):
    data = make_data(repair_share=0.2)
    network = verified(trained(SequenceClassifier(4, 3, hidden_size=8), data), data)
    run = FinishedRun(network, data, AbstractionSettings(n_components=6, reduction_dims=3))
    failing = torch.tensor(Breakdown()(run).tables["failures"]["index"].tolist())
    assert len(failing) > 6
    members = failing[:6]
    pattern = Pattern("edit", "slowed", members, members, 1.0, 0.1, 0.002, {}, members)
    monkeypatch.setattr("rnnrepair.studies.breakdown.shared_patterns", lambda *_: [pattern])
    found = Breakdown()(run)
    failures = found.tables["failures"]
    assert set(failures["index"][failures["part of a pattern"]]) == set(members.tolist())
    assert (failures["pattern"] == "slowed").tolist() == failures["part of a pattern"].tolist()
    assert any("slowed: 6 failures" in line for line in found.conclusion)


@pytest.mark.parametrize("view", ["flat", "layers"])
def test_no_trigger_is_looked_for_where_steps_are_not_those_of_the_inputs(view):
    """A convolutional network makes one step, or one a layer, whatever rows an image has."""
    label = torch.arange(240) % 3
    images = torch.rand(240, 12, 12, generator=torch.Generator().manual_seed(0))
    data = LoadedData(
        Sequences.from_padded(images, torch.full((240,), 12)), label, 160, "images", "image"
    )
    module = TensorData(data, 3, trigger=PlantedPatch(n=10, label=1, relabel=True))
    module.setup()
    torch.manual_seed(0)
    network = verified(ImageClassifier(12, 12, 3, (2, 2), 4, view), module)
    run = FinishedRun(network, module, AbstractionSettings(n_components=2, reduction_dims=2))
    failures = Breakdown()(run).tables["failures"]
    assert len(failures)
    assert not failures["trigger"].any()
    with pytest.raises(ConfigurationError, match=r"ImageClassifier makes other steps than its in"):
        Backdoor(2, repairs=[]).check(run)
