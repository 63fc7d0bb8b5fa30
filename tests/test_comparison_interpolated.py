"""The network between the unrepaired and the final one is compared as the final one is."""

import numpy as np
import pandas as pd
import pytest

from rnnrepair.errors import DataError
from rnnrepair.record import CurvePoint, RunRecord, summary_of
from rnnrepair.runs.comparison import (
    arm_table,
    contrast_table,
    metric_table,
    parse_contrast,
    read_export,
    read_folder,
    write_export,
)
from rnnrepair.runs.comparison.equal_broken import share_within
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


def asked_for(table):
    return table[table["why"] == "asked for"].reset_index(drop=True)


def test_metrics_and_intervals_are_those_of_a_final_network_that_answers_so(tmp_path):
    runs, final = write_all(tmp_path / "way", with_way), write_all(tmp_path / "final", as_final)
    for name, plain in METRICS.items():
        values, expected = metric_table(runs)[name], metric_table(final)[plain]
        pd.testing.assert_series_equal(values, expected, check_names=False, check_exact=True)
        contrast = asked_for(contrast_table(runs, [parse_contrast(f"guided-none:{name}", runs)]))
        other = asked_for(contrast_table(final, [parse_contrast(f"guided-none:{plain}", final)]))
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


def point(broken, share):
    return CurvePoint(0.0, "test", 0.0, 0.0, 0, share, broken)


@pytest.mark.parametrize(
    ("most", "expected"),
    [(0, 0.1), (2, 0.2), (3, 0.25), (4, 0.3), (6, 0.3), (7, 0.4), (8, 0.5), (9, 0.6), (99, 0.6)],
)
def test_the_share_at_a_number_of_broken_is_read_off_the_curve(most, expected):
    # It may repair before it breaks, and go back: what counts is the best that is allowed.
    curve = [
        point(*sides) for sides in ((0, 0.0), (0, 0.1), (4, 0.3), (6, 0.3), (9, 0.6), (8, 0.5))
    ]
    assert share_within(curve, most) == pytest.approx(expected)
    assert share_within(curve[:1], most) == 0
    assert np.isnan(share_within([point(0, None)], most))


def test_arms_are_compared_where_they_break_as_many_as_none(tmp_path):
    #         right before: 6 of 10; each network breaks the first few, and repairs the last few
    def side(broken, repaired):
        return [i >= broken for i in range(6)] + [i < repaired for i in range(4)]

    before = side(0, 0)
    write_run(tmp_path, "none", 0, before, side(2, 1), between=side(1, 1))
    write_run(tmp_path, "guided", 0, before, side(4, 4), between=side(1, 2))
    # Without the arm none nobody says how many may be broken.
    write_run(tmp_path, "guided", 1, before, side(4, 4), between=side(1, 2))
    runs = read_folder(tmp_path)
    found = metric_table(runs)["repaired_share_at_equal_broken"]
    assert found["none", 0] == 1 / 4
    # From 2 repaired at 1 broken to 4 at 4: 2 2/3 at 2.
    assert found["guided", 0] == pytest.approx((2 + 2 / 3) / 4)
    assert np.isnan(found["guided", 1])
    write_export(runs, tmp_path / "kept")
    again = metric_table(read_export(tmp_path / "kept"))["repaired_share_at_equal_broken"]
    pd.testing.assert_series_equal(again, found, check_exact=True)


def test_what_was_compared_before_is_compared_as_before(tmp_path):
    runs, plain = write_all(tmp_path / "way", with_way), write_all(tmp_path / "plain", without)
    table = metric_table(plain)
    pd.testing.assert_frame_equal(metric_table(runs)[list(table)], table, check_exact=True)
    assert not [name for name in table if "interpolat" in name or "equal" in name]
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
