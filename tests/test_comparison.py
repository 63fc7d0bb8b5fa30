"""Comparison of strategies against scipy and against numbers worked out by hand."""

import json

import numpy as np
import pytest
from scipy import stats

from rnnrepair.errors import DataError
from rnnrepair.report.comparison import (
    compare,
    interval,
    paired,
    read_runs,
    unequal_budgets,
    unpaired_seeds,
)


def write(folder, strategy, seed, accuracy, share=0.5, injected=10):
    run = folder / f"{strategy}-{seed}"
    run.mkdir()
    after = {"test_accuracy": accuracy, "test_repaired_share": share, "newly_broken": 3}
    summary = {"strategy": strategy, "seed": seed, "injected": injected, "after": after}
    (run / "summary.json").write_text(json.dumps(summary))


@pytest.fixture
def runs(tmp_path):
    for seed, (none, guided) in enumerate([(0.98, 0.99), (0.97, 0.98), (0.98, 0.985)]):
        write(tmp_path, "none", seed, none, 0.4)
        write(tmp_path, "guided", seed, guided, 0.6 + seed / 100)
    return read_runs(tmp_path)


def row(table, strategy, metric):
    return table[(table.strategy == strategy) & (table.metric == metric)].iloc[0]


def test_paired_difference_and_p_are_those_of_scipy(runs):
    guided = row(compare(runs), "guided", "test_repaired_share")
    values, none = np.array([0.60, 0.61, 0.62]), np.array([0.4, 0.4, 0.4])
    assert guided["diff_none"] == pytest.approx(0.21)
    assert guided["p_none"] == pytest.approx(stats.ttest_rel(values, none).pvalue)
    assert guided["pairs_none"] == 3


def test_error_ratio_is_the_ratio_of_mean_errors(runs):
    guided = row(compare(runs), "guided", "test_error_ratio")
    assert guided["mean"] == pytest.approx((0.01 + 0.02 + 0.015) / (0.02 + 0.03 + 0.02))
    assert guided["low"] <= guided["mean"] <= guided["high"]


def test_pairs_are_made_by_seed_not_by_position(tmp_path):
    for seed, accuracy in [(5, 0.9), (1, 0.8)]:
        write(tmp_path, "none", seed, accuracy)
    for seed, accuracy in [(1, 0.81), (5, 0.91), (7, 0.5)]:
        write(tmp_path, "guided", seed, accuracy)
    runs = read_runs(tmp_path)
    guided = row(compare(runs), "guided", "test_accuracy")
    assert guided["diff_none"] == pytest.approx(0.01)
    assert guided["pairs_none"] == 2
    assert unpaired_seeds(runs) == {"none": [7]}


def test_metrics_that_were_not_measured_are_left_out(runs):
    assert "targets_right" not in set(compare(runs).metric)


def test_seeds_with_unequal_budgets_are_found(tmp_path, runs):
    assert unequal_budgets(runs) == []
    folder = tmp_path / "more"
    folder.mkdir()
    write(folder, "random", 1, 0.98, injected=8)
    write(folder, "guided", 1, 0.98, injected=10)
    write(folder, "none", 1, 0.98, injected=0)
    assert unequal_budgets(read_runs(folder)) == [1]


def test_interval_covers_the_mean_95_times_in_100():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        low, high = interval(rng.normal(3.0, 1.0, 6))
        covered += low <= 3.0 <= high
    assert covered / 2000 == pytest.approx(0.95, abs=0.02)


def test_equal_values_have_p_one_and_a_constant_shift_has_p_zero():
    same = np.array([0.1, 0.2, 0.3])
    assert paired(same, same) == (0.0, 1.0)
    assert paired(same + 0.25, same)[1] == pytest.approx(0.0, abs=1e-12)


def test_one_strategy_and_seed_twice_is_refused(tmp_path):
    write(tmp_path, "none", 0, 0.9)
    again = tmp_path / "again"
    again.mkdir()
    write(again, "none", 0, 0.9)
    with pytest.raises(DataError, match="same strategy and seed"):
        read_runs(tmp_path)
