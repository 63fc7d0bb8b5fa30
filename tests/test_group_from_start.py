"""The control that knows which group is rare."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.edits import ImageEdits
from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.repair import GroupFromStart
from rnnrepair.sequences import COPY, DataSpec, Kind


@pytest.fixture
def grouped(repair_case):
    """A round on data of which every tenth sample is of device 7; failures 3 and 5 are, too."""
    context, data = repair_case.context, repair_case.data
    device = ["7" if i % 10 == 0 else "1" for i in range(120)]
    index = data.indices("repair")
    failures = context.evidence.failures.index
    for sample in index.tolist():
        device[sample] = "1"
    for row in (3, 5):
        device[int(failures[row])] = "7"
    return replace(context, columns={"device": device}), device


def of_device(device, index):
    return torch.tensor([device[i] == "7" for i in index.tolist()])


@pytest.mark.parametrize("times", [2, 5, 10])
def test_the_group_is_seen_as_often_as_said_its_samples_of_the_repair_split_too(
    grouped, repair_case, times
):
    context, device = grouped
    made = GroupFromStart("device", "7", times).propose(context, 1000)
    known = torch.cat([repair_case.data.indices(split) for split in ("fit", "repair")])
    group = known[of_device(device, known)]
    index, copies = made.parent.unique(return_counts=True)
    assert set(index.tolist()) <= set(group.tolist())
    assert int(copies.max() - copies.min()) <= 1
    # An epoch as long as the fit split; what copies leave of it is drawn of both splits.
    drawn = (len(context.originals) - len(made)) / len(known)
    seen = (drawn + len(made) / len(group)) / drawn
    assert seen == pytest.approx(times, rel=0.05)
    parents = context.fetch(made.parent)
    assert torch.equal(made.inputs, parents.inputs)
    assert torch.equal(made.label, parents.label)
    # Augmentation edits copies as it does their originals.
    assert (made.region == COPY).all()
    assert set(made.failure.tolist()) == {3, 5}


def test_copies_end_with_the_budget(grouped):
    context, _ = grouped
    made = GroupFromStart("device", "7").propose(context, 1)
    assert len(made) == len(context.evidence)


def test_no_budget_makes_nothing(grouped):
    assert len(GroupFromStart("device", "7").propose(grouped[0], 0)) == 0


@pytest.mark.parametrize(("value", "told"), [(7, "7"), (7.0, "7"), (0.5, "0.5"), (True, "True")])
def test_numbers_are_written_as_columns_write_them(value, told):
    assert GroupFromStart("device", value).value == told


def test_a_base_that_fails_at_none_of_the_group_is_no_reason_to_teach_it_nothing(grouped):
    context, device = grouped
    failed = context.evidence.failures.index
    for row in (3, 5):
        device[int(failed[row])] = "1"
    made = GroupFromStart("device", "7").propose(context, 1000)
    assert set(made.failure.tolist()) == set(range(len(failed)))


def test_a_group_that_training_samples_lack_is_refused_by_name():
    columns = {"device": ["1", "1", "7"], "site": ["a", "b", "c"]}
    training = torch.tensor([0, 1])
    GroupFromStart("device", "1").check_known(columns, [], training, training)
    with pytest.raises(ConfigurationError, match=r"column='devise'.*\['device', 'site'\]"):
        GroupFromStart("devise", "7").check_known(columns, [], training, training)
    with pytest.raises(ConfigurationError, match=r"value='7': no training sample.*there are 1\."):
        GroupFromStart("device", "7").check_known(columns, [], training, training)
    with pytest.raises(ConfigurationError, match="no columns"):
        GroupFromStart("device", "7").check_known({}, [], training, training)


def test_texts_are_grouped_by_the_words_that_they_hold(text_case):
    context, data = text_case.context, text_case.data
    names = [f"w{i}" for i in range(20)]
    context = replace(context, token_names=names)
    known = torch.cat([context.originals, context.repair])
    words = ["w7", "w11"]
    texts = data.fetch(known).sequences()
    group = {int(i) for i, text in zip(known, texts, strict=True) if {7, 11} & set(text.tolist())}
    assert 0 < len(group) < len(known)
    made = GroupFromStart(words=words).propose(context, 1000)
    assert set(made.parent.tolist()) == group
    GroupFromStart(words=words).check_known({}, names, known, known)
    with pytest.raises(ConfigurationError, match=r"words: the data know no words \['w0x'\].*rare"):
        GroupFromStart(words=["w7", "w0x"]).check_known({}, names, known, known)
    with pytest.raises(ConfigurationError, match="no texts"):
        GroupFromStart(words=words).check_known({}, [], known, known)


@pytest.mark.parametrize(
    "settings", [{"column": None}, {"value": None}, {"times": 0}, {"words": ["not"]}]
)
def test_settings_are_checked(settings):
    named = "times" if "times" in settings else "column"
    with pytest.raises(SettingsError, match=named):
        GroupFromStart(**{"column": "device", "value": "7", **settings})


def test_a_class_is_a_group(repair_case):
    context, data = repair_case.context, repair_case.data
    strategy = GroupFromStart(label=1, times=3)
    made = strategy.propose(context, 1000)
    known = torch.cat([data.indices("fit"), data.indices("repair")])
    own = known[data.fetch(known).label == 1]
    assert set(made.parent.tolist()) <= set(own.tolist())
    assert (made.label == 1).all()
    drawn = (len(context.originals) - len(made)) / len(known)
    assert (drawn + len(made) / len(own)) / drawn == pytest.approx(3, rel=0.05)
    label = data.fetch(known).label
    strategy.check_known({}, [], known, label)
    with pytest.raises(ConfigurationError, match=r"label=7: no training sample.*there are \[0, 1"):
        GroupFromStart(label=7).check_known({}, [], known, label)
    for two in ({"column": "device", "value": 1}, {"words": ["not"]}, {"column": "device"}):
        with pytest.raises(SettingsError, match="a class alone"):
            GroupFromStart(label=1, **two)
    with pytest.raises(SettingsError, match="label"):
        GroupFromStart(label=-1)


def test_its_augmentation_may_draw_the_edits_of_the_repair():
    edits = ImageEdits()
    spec = DataSpec(Kind.IMAGE, 28, 10)
    assert GroupFromStart(label=1, augments=True).training_edits(edits, spec) is edits
    assert GroupFromStart(label=1).training_edits(edits, spec) is None
