"""What is measured of a run: functions of how many of its test items changed sides."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rnnrepair.runs.comparison.runs import INTERPOLATED, SUMMARY_METRICS, Answers, Run, Runs
from rnnrepair.sequences import Names


@dataclass(frozen=True, eq=False)
class Counts:
    """How many items changed sides, of any number of runs or draws at once, by true class.

    Attributes:
        items: (..., C) number of all items.
        wrong: (..., C) wrong before the repair.
        repaired: (..., C) wrong before and right after.
        broken: (..., C) right before and wrong after.
    """

    items: np.ndarray
    wrong: np.ndarray
    repaired: np.ndarray
    broken: np.ndarray

    @classmethod
    def of(cls, answers: Answers) -> "Counts":
        """Count the items of one run; every count has shape (C,)."""
        of_class = classes_of(answers, int(answers.label.max()) + 1)
        return cls(of_class.sum(0, dtype=float), *(sides_of(answers) @ of_class.astype(float)))

    def total(self, name: str) -> np.ndarray:
        """Return (...) one of the counts, of all classes together."""
        return getattr(self, name).sum(-1)

    @property
    def right(self) -> np.ndarray:
        """(..., C) right after the repair."""
        return self.items - self.wrong + self.repaired - self.broken


def classes_of(answers: Answers, n_classes: int) -> np.ndarray:
    """Return (N, C) bool: the true class of each item."""
    return answers.label[:, None] == np.arange(n_classes)


def sides_of(answers: Answers) -> np.ndarray:
    """Return (3, N) bool: wrong before, repaired, broken."""
    before, after = answers.before, answers.after
    return np.stack([~before, ~before & after, before & ~after])


def _accuracy(counts: Counts) -> np.ndarray:
    return _ratio(counts.right.sum(-1), counts.total("items"))


def _balanced_accuracy(counts: Counts) -> np.ndarray:
    """Return the mean of the accuracies of the classes that have an item."""
    there = counts.items > 0
    of_class = np.divide(counts.right, counts.items, out=np.zeros_like(counts.right), where=there)
    return _ratio(of_class.sum(-1), there.sum(-1))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return above / below, NaN where below is 0."""
    undefined = np.full(np.shape(below), np.nan)
    return np.divide(above, below, out=undefined, where=below > 0)


def is_share(metric: str) -> bool:
    """Return whether a metric lies between 0 and 1."""
    ends = ("_accuracy", "_share", "efficiency", "_share_at_equal_broken", "_factor")
    return metric.endswith(ends)


def is_count(metric: str) -> bool:
    """Return whether a metric counts something, so that of one run it is a whole number."""
    return metric.endswith(("injected", "steps", "repaired", "newly_broken", "net_change"))


Metric = Callable[[Counts], np.ndarray]

ACCURACIES: dict[str, Metric] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
}

TEST_METRICS: dict[str, Metric] = {
    "test_repaired_share": lambda counts: _ratio(counts.total("repaired"), counts.total("wrong")),
    "repaired": lambda counts: counts.total("repaired"),
    "newly_broken": lambda counts: counts.total("broken"),
    "net_change": lambda counts: counts.total("repaired") - counts.total("broken"),
    "efficiency": lambda counts: _ratio(
        counts.total("repaired"), counts.total("repaired") + counts.total("broken")
    ),
}


def item_metrics(runs: Runs) -> dict[str, tuple[str, Metric]]:
    """Return every metric that is computed from items, with the test split it is of."""
    if not runs.splits:
        return {}
    others = [split for split in runs.splits if split != "test"]
    accuracies = {
        f"{split}_{name}": (split, metric)
        for split in ("test", *others)
        for name, metric in ACCURACIES.items()
    }
    sides = {name: ("test", metric) for name, metric in TEST_METRICS.items()}
    between = f"{INTERPOLATED}test"
    if between in runs.splits:
        # All of them are of the test split, as in the summary of a run.
        sides |= {
            f"{INTERPOLATED}{name.removeprefix('test_')}": (between, metric)
            for name, metric in TEST_METRICS.items()
        }
    return accuracies | sides


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

    Columns are the names of the classes, numbers where the data have none.

    Empty for runs without test items.
    """
    if not runs.splits:
        return pd.DataFrame()
    rows = {
        key: pd.Series(run.splits["test"].after).groupby(run.splits["test"].label).mean()
        for key, run in runs.by_key.items()
    }
    table = pd.DataFrame(rows).T.sort_index(axis="columns")
    called = Names(runs.about.class_names).of_class
    table.columns = pd.Index([called(int(number)) for number in table.columns], name="class")
    table.index.names = ["arm", "seed"]
    return table.groupby(level="arm").mean()
