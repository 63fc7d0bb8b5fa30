"""What is measured of a run: functions of how many of its test items changed sides."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rnnrepair.runs.comparison.runs import SUMMARY_METRICS, Answers, Run, Runs


@dataclass(frozen=True, eq=False)
class Counts:
    """How many items changed sides, of any number of runs or draws at once.

    Attributes:
        items: (...) number of all items.
        wrong: (...) wrong before the repair.
        repaired: (...) wrong before and right after.
        broken: (...) right before and wrong after.
    """

    items: np.ndarray
    wrong: np.ndarray
    repaired: np.ndarray
    broken: np.ndarray

    @classmethod
    def of(cls, answers: Answers) -> "Counts":
        """Count the items of one run; every count has shape ()."""
        sides = sides_of(answers)
        return cls(np.array(len(answers.index), float), *sides.sum(1, dtype=float))


def sides_of(answers: Answers) -> np.ndarray:
    """Return (3, N) bool: wrong before, repaired, broken."""
    before, after = answers.before, answers.after
    return np.stack([~before, ~before & after, before & ~after])


def _accuracy(counts: Counts) -> np.ndarray:
    right = counts.items - counts.wrong + counts.repaired - counts.broken
    return _ratio(right, counts.items)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return above / below, NaN where below is 0."""
    undefined = np.full(np.shape(below), np.nan)
    return np.divide(above, below, out=undefined, where=below > 0)


Metric = Callable[[Counts], np.ndarray]

TEST_METRICS: dict[str, Metric] = {
    "test_repaired_share": lambda counts: _ratio(counts.repaired, counts.wrong),
    "repaired": lambda counts: counts.repaired,
    "newly_broken": lambda counts: counts.broken,
    "net_change": lambda counts: counts.repaired - counts.broken,
    "efficiency": lambda counts: _ratio(counts.repaired, counts.repaired + counts.broken),
}


def item_metrics(runs: Runs) -> dict[str, tuple[str, Metric]]:
    """Return every metric that is computed from items, with the test split it is of."""
    if not runs.splits:
        return {}
    others = [split for split in runs.splits if split != "test"]
    accuracies = {f"{split}_accuracy": (split, _accuracy) for split in ("test", *others)}
    return accuracies | {name: ("test", metric) for name, metric in TEST_METRICS.items()}


def metric_table(runs: Runs) -> pd.DataFrame:
    """Return a row for each run, by (arm, seed), and a column for each metric that any measured."""
    of_items = item_metrics(runs)
    rows = [_values(run, of_items) for run in runs]
    index = pd.MultiIndex.from_tuples(runs.by_key, names=["arm", "seed"])
    return pd.DataFrame(rows, index=index).dropna(axis="columns", how="all")


def _values(run: Run, of_items: dict[str, tuple[str, Metric]]) -> dict[str, float]:
    counts = {split: Counts.of(answers) for split, answers in run.splits.items()}
    values = {name: float(metric(counts[split])) for name, (split, metric) in of_items.items()}
    return values | {name: run.values[name] for name in SUMMARY_METRICS}


def class_accuracies(runs: Runs) -> pd.DataFrame:
    """Return a row for each arm and a column for each class: test accuracy, mean over seeds.

    Empty for runs without test items.
    """
    if not runs.splits:
        return pd.DataFrame()
    rows = {
        key: pd.Series(run.splits["test"].after).groupby(run.splits["test"].label).mean()
        for key, run in runs.by_key.items()
    }
    table = pd.DataFrame(rows).T.sort_index(axis="columns")
    table.index.names, table.columns.name = ["arm", "seed"], "class"
    return table.groupby(level="arm").mean()
