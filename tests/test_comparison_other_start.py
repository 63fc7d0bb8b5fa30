"""Arms that began with another network are counted against the one the others began with."""

import numpy as np
import pytest

from rnnrepair.errors import DataError
from rnnrepair.runs.comparison import metric_table, read_export, read_folder, write_export
from tests.comparison_runs import write_run

BEFORE = [1, 0, 0, 1, 1, 0]
CLEANED = [1, 1, 0, 1, 0, 1]
# Began with a network that was right on all but the first.
TRUE_BEFORE, TRUE = [0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]


@pytest.fixture
def folder(tmp_path):
    write_run(tmp_path, "none", 0, BEFORE, BEFORE)
    write_run(tmp_path, "clean", 0, BEFORE, CLEANED)
    write_run(tmp_path, "true_labels", 0, TRUE_BEFORE, TRUE)
    return tmp_path


def test_without_a_word_it_is_refused_and_the_message_says_how(folder):
    with pytest.raises(DataError, match="--other-start ARM"):
        read_folder(folder)


def test_items_count_from_the_usual_network_and_others_stay_as_they_were(folder, tmp_path):
    runs = read_folder(folder, ["true_labels"])
    values = metric_table(runs)
    told = values.loc[("true_labels", 0)]
    assert told["test_accuracy"] == np.mean(TRUE)
    assert told["repaired"] == 2
    assert told["newly_broken"] == 0
    assert told["steps"] == 100
    assert np.isnan(told["repaired_share"])
    clean = values.loc[("clean", 0)]
    assert (clean["repaired"], clean["newly_broken"], clean["repaired_share"]) == (2, 1, 0.5)
    kept = write_export(runs, tmp_path / "export")
    again = metric_table(read_export(tmp_path / "export"))
    assert again.equals(metric_table(kept))
    assert again.loc[("true_labels", 0), "repaired"] == 2


def test_the_usual_network_may_be_that_of_exported_runs(tmp_path):
    write_run(tmp_path / "a", "none", 0, BEFORE, BEFORE)
    write_export(read_folder(tmp_path / "a"), tmp_path / "export")
    write_run(tmp_path / "b", "true_labels", 0, TRUE_BEFORE, TRUE)
    usual = read_export(tmp_path / "export")
    added = write_export(read_folder(tmp_path / "b", ["true_labels"], usual), tmp_path / "export")
    assert metric_table(added).loc[("true_labels", 0), "repaired"] == 2


def test_what_cannot_be_counted_is_refused(folder):
    with pytest.raises(DataError, match=r"No run has the arm true_label: there are \["):
        read_folder(folder, ["true_label"])
    write_run(folder, "true_labels", 1, TRUE_BEFORE, TRUE)
    with pytest.raises(DataError, match="seed 1 has no arm that began with the usual network"):
        read_folder(folder, ["true_labels"])
    write_run(folder, "none", 1, BEFORE, BEFORE, label=[1, 1, 1, 1, 1, 1])
    with pytest.raises(DataError, match="other items or labels in test"):
        read_folder(folder, ["true_labels"])
