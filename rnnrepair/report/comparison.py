"""Strategies against each other: mean and interval over seeds, paired differences."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from rnnrepair.errors import DataError

# Column of the comparison -> where it stands in summary.json.
METRICS = {
    "test_repaired_share": ("after", "test_repaired_share"),
    "repaired_share": ("after", "repaired_share"),
    "test_accuracy": ("after", "test_accuracy"),
    "newly_broken": ("after", "newly_broken"),
    "injected": ("injected",),
    "steps": ("steps",),
    "targets_right": ("after", "targets_right"),
}
# Strategies that others are compared with, in this order, as far as they were run.
REFERENCES = (
    "none",
    "random",
    "random_sample",
    "random_context",
    "insertion",
    "influence",
    "failures",
)


def read_runs(folder: Path) -> pd.DataFrame:
    """Return one row per finished run below a folder: strategy, seed and every metric.

    Raises:
        DataError: no finished run, or two runs of one strategy and seed.
    """
    files = sorted(folder.rglob("summary.json"))
    if not files:
        raise DataError(
            f"{folder} holds no summary.json: name the folder of a multirun that has finished runs."
        )
    rows = []
    for file in files:
        summary = json.loads(file.read_text())
        row: dict[str, Any] = {
            "strategy": summary["strategy"],
            "seed": summary["seed"],
            "run": str(file.parent),
        }
        for name, keys in METRICS.items():
            row[name] = _look_up(summary, keys)
        rows.append(row)
    runs = pd.DataFrame(rows)
    twice = runs[runs.duplicated(["strategy", "seed"], keep=False)]
    if len(twice):
        raise DataError(
            "Several runs have the same strategy and seed, so they cannot be paired: "
            + ", ".join(twice["run"])
        )
    return runs


def references(runs: pd.DataFrame) -> list[str]:
    """Return the strategies that the others are compared with."""
    present = set(runs["strategy"])
    return [name for name in REFERENCES if name in present]


def _look_up(summary: Any, keys: Sequence[str]) -> float:
    """Return a value of the summary, NaN where the experiment does not measure it."""
    for key in keys:
        summary = summary.get(key)
        if summary is None:
            return float("nan")
    return float(summary)


def interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the t interval of the mean of independent values (NaN for fewer than two)."""
    if len(values) < 2:
        return float("nan"), float("nan")
    half = stats.sem(values) * stats.t.ppf((1 + level) / 2, len(values) - 1)
    return float(values.mean() - half), float(values.mean() + half)


def paired(values: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Return mean difference and two-sided p-value of the paired t test (NaN for one pair)."""
    difference = values - reference
    if len(difference) < 2:
        return float(difference.mean()) if len(difference) else float("nan"), float("nan")
    if np.all(difference == difference[0]):  # the t statistic is 0 / 0 or infinite
        return float(difference[0]), 1.0 if difference[0] == 0 else 0.0
    return float(difference.mean()), float(stats.ttest_rel(values, reference).pvalue)


def compare(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per strategy and metric.

    Columns: strategy, metric, seeds, mean, low, high (95 % interval of the mean) and, against
    each reference strategy on the seeds that both have, ``diff_X``, ``p_X`` and ``pairs_X``. The
    metric ``test_error_ratio`` is the mean test error over that of ``none`` on the same seeds.
    """
    rows = []
    for strategy, group in runs.groupby("strategy", sort=False):
        for metric in METRICS:
            if runs[metric].isna().all():
                continue
            values = group.set_index("seed")[metric].dropna()
            low, high = interval(values.to_numpy(float))
            row = {
                "strategy": strategy,
                "metric": metric,
                "seeds": len(values),
                "mean": values.mean(),
                "low": low,
                "high": high,
            }
            for reference in references(runs):
                row |= _against(runs, reference, metric, values)
            rows.append(row)
        rows.append(_error_ratio(runs, str(strategy), group))
    order = {name: i for i, name in enumerate((*METRICS, "test_error_ratio"))}
    table = pd.DataFrame(rows).astype({f"pairs_{name}": "Int64" for name in references(runs)})
    return table.sort_values("metric", key=lambda column: column.map(order), kind="stable")


def _against(
    runs: pd.DataFrame, reference: str, metric: str, values: "pd.Series[float]"
) -> dict[str, Any]:
    other = runs[runs["strategy"] == reference].set_index("seed")[metric].dropna()
    seeds = values.index.intersection(other.index)
    difference, p = paired(values.loc[seeds].to_numpy(float), other.loc[seeds].to_numpy(float))
    return {
        f"diff_{reference}": difference,
        f"p_{reference}": p,
        f"pairs_{reference}": len(seeds),
    }


def _error_ratio(runs: pd.DataFrame, strategy: str, group: pd.DataFrame) -> dict[str, Any]:
    mine = 1 - group.set_index("seed")["test_accuracy"]
    none = 1 - runs[runs["strategy"] == "none"].set_index("seed")["test_accuracy"]
    seeds = mine.index.intersection(none.index)
    low, high = _ratio_interval(mine.loc[seeds].to_numpy(), none.loc[seeds].to_numpy())
    ratio = mine.loc[seeds].mean() / none.loc[seeds].mean() if len(seeds) else float("nan")
    return {
        "strategy": strategy,
        "metric": "test_error_ratio",
        "seeds": len(seeds),
        "mean": ratio,
        "low": low,
        "high": high,
    }


def _ratio_interval(above: np.ndarray, below: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a ratio of means over the same seeds."""
    if len(above) < 2:
        return float("nan"), float("nan")
    draws = np.random.default_rng(0).integers(len(above), size=(10_000, len(above)))
    ratios = above[draws].mean(1) / below[draws].mean(1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def unequal_budgets(runs: pd.DataFrame) -> list[int]:
    """Return the seeds in which strategies that inject got different numbers of samples."""
    different = runs[runs["injected"] > 0].groupby("seed")["injected"].nunique() > 1
    return [int(seed) for seed in different.index[different]]


def unpaired_seeds(runs: pd.DataFrame) -> dict[str, Sequence[int]]:
    """Return, per strategy, the seeds that some other strategy has and it lacks."""
    every = set(runs["seed"])
    lacking = {
        str(strategy): sorted(every - set(group["seed"]))
        for strategy, group in runs.groupby("strategy", sort=False)
    }
    return {strategy: seeds for strategy, seeds in lacking.items() if seeds}
