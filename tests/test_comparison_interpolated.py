"""The network between the unrepaired and the final one is compared as the final one is."""

import numpy as np
import pandas as pd
import pytest

from rnnrepair.errors import DataError
from rnnrepair.record import RunRecord, summary_of
from rnnrepair.runs.comparison import (
    arm_table,
    contrast_table,
    metric_table,
    parse_contrast,
    read_export,
    read_folder,
    write_export,
)
from tests.comparison_runs import write_run

# Of the interpolated network -> of the final one.
METRICS = {
    "interpolated_test_accuracy": "test_accuracy",
    "interpolated_test_balanced_accuracy": "test_balanced_accuracy",
    "interpolated_test_rare_accuracy": "test_rare_accuracy",
    "interpolated_repaired_share": "test_repaired_share",
    "interpolated_repaired": "repaired",
    "interpolated_newly_broken": "newly_broken",
    "interpolated_net_change": "net_change",
    "interpolated_efficiency": "efficiency",
}
TOLD = {"rare": [1, 5, 7, 20, 31], "sizes": {"test": 40}}


def sides(seed, arm):
    """Return (40,) bool thrice: right before, halfway and after; before is the same in all arms."""
    before = np.random.default_rng(seed).random(40) < 0.7
    rng = np.random.default_rng([seed, ord(arm[0])])
    return before, rng.random(40) < 0.8, rng.random(40) < 0.75


def write_all(folder, write):
    """Write three seeds of two arms."""
    for seed in range(3):
        for arm in ("guided", "none"):
            write(folder, arm, seed, *sides(seed, arm))
    return read_folder(folder)


def with_way(folder, arm, seed, before, between, after):
    return write_run(folder, arm, seed, before, after, between=between, **TOLD)


def without(folder, arm, seed, before, between, after):
    return write_run(folder, arm, seed, before, after, **TOLD)


def as_final(folder, arm, seed, before, between, after):
    return write_run(folder, arm, seed, before, between, **TOLD)


def test_metrics_and_intervals_are_those_of_a_final_network_that_answers_so(tmp_path):
    runs, final = write_all(tmp_path / "way", with_way), write_all(tmp_path / "final", as_final)
    for name, plain in METRICS.items():
        values, expected = metric_table(runs)[name], metric_table(final)[plain]
        pd.testing.assert_series_equal(values, expected, check_names=False, check_exact=True)
        contrast = contrast_table(runs, [parse_contrast(f"guided-none:{name}", runs)])
        other = contrast_table(final, [parse_contrast(f"guided-none:{plain}", final)])
        columns = ["difference", "low", "high", "drawn", "pairs"]
        pd.testing.assert_frame_equal(contrast[columns], other[columns], check_exact=True)
        assert contrast["drawn"].item() == "seeds x items"


def test_metrics_are_those_of_the_summary(tmp_path):
    folder = with_way(tmp_path, "guided", 4, *sides(4, "guided"))
    (values,) = metric_table(read_folder(tmp_path)).to_dict("records")
    told = summary_of(RunRecord.load(folder))["after"]
    names = [name for name in told if name.startswith("interpolat")]
    assert len(names) == 4
    for name in names:
        assert values[name] == pytest.approx(told[name])
    assert values["interpolation_factor"] == 0.5


def test_what_was_compared_before_is_compared_as_before(tmp_path):
    runs, plain = write_all(tmp_path / "way", with_way), write_all(tmp_path / "plain", without)
    table = metric_table(plain)
    pd.testing.assert_frame_equal(metric_table(runs)[list(table)], table, check_exact=True)
    assert not [name for name in table if "interpolat" in name]
    assert [run.base for run in runs] == [run.base for run in plain]


def test_an_export_keeps_it(tmp_path):
    runs = write_all(tmp_path / "runs", with_way)
    write_export(runs, tmp_path / "kept")
    again = read_export(tmp_path / "kept")
    for table in (arm_table, metric_table):
        pd.testing.assert_frame_equal(table(runs), table(again), check_exact=True)
    assert "interpolated_test_accuracy" in metric_table(again)


def test_runs_with_and_without_it_are_told_apart(tmp_path):
    with_way(tmp_path, "guided", 0, *sides(0, "guided"))
    without(tmp_path, "none", 0, *sides(0, "none"))
    with pytest.raises(DataError, match="interpolate"):
        read_folder(tmp_path)
