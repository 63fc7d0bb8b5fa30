"""A multirun as one table and its figures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pandas.api.types import is_numeric_dtype

from rnnrepair.errors import DataError
from rnnrepair.report.jobs import Status, jobs_of
from rnnrepair.report.studies.canvas import LINES, canvas, panel, panels

# Column -> where it stands in summary.json, and the name of its axis.
METRICS: dict[str, tuple[tuple[str, ...], str]] = {
    "test_before": (("before", "test_accuracy"), "test accuracy before"),
    "test_after": (("after", "test_accuracy"), "test accuracy after"),
    "val_after": (("after", "val_accuracy"), "val accuracy after"),
    "test_repaired": (("after", "test_repaired_share"), "share of test failures repaired"),
    "newly_broken": (("after", "newly_broken"), "test samples newly broken"),
    "stability": (("stability",), "mean stability"),
    "injected": (("injected",), "samples injected"),
    "seconds": (("time_s", "total"), "seconds"),
}


def read_sweep(folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return a row for each finished job, and the settings in which jobs differ.

    Raises:
        DataError: there is no finished job, or jobs do not differ.
    """
    rows = []
    for job in jobs_of(folder):
        path = job.folder / "summary.json"
        if job.status is not Status.FINISHED or not path.is_file():
            continue
        summary = json.loads(path.read_text(encoding="utf-8"))
        pairs = (setting.lstrip("+").partition("=") for setting in job.overrides)
        settings = {name: value for name, _, value in pairs}
        metrics = {name: _found(summary, keys) for name, (keys, _) in METRICS.items()}
        rows.append({"job": job.folder.name, **settings, **metrics})
    if not rows:
        raise DataError(
            f"{folder} holds no finished job of a multirun: expected {folder}/0/summary.json and "
            "job.json, as python train.py -m writes them."
        )
    table = pd.DataFrame(rows)
    candidates = [c for c in table.columns if c not in METRICS and c != "job"]
    varied = [column for column in candidates if table[column].nunique(dropna=False) > 1]
    if not varied:
        raise DataError(f"The {len(table)} jobs of {folder} do not differ in any setting.")
    for column in varied:
        numbers = pd.to_numeric(table[column], errors="coerce")
        if numbers.notna().all():
            table[column] = numbers
    return table[["job", *varied, *METRICS]], varied


def _found(summary: dict[str, Any], keys: Sequence[str]) -> float:
    value: Any = summary
    for key in keys:
        value = value[key]
    return float("nan") if value is None else float(value)


def sweep_figures(table: pd.DataFrame, varied: Sequence[str]) -> dict[str, Figure]:
    """Draw every metric against the first setting, and all jobs as parallel coordinates."""
    axis = _main_axis(varied)
    figures = {name: _against(table, axis, name, unit) for name, (_, unit) in METRICS.items()}
    figures["parallel_coordinates"] = _parallel(table, varied)
    return figures


def _main_axis(varied: Sequence[str]) -> str:
    """Return the first setting that is no seed."""
    return next((name for name in varied if name != "seed"), varied[0])


def _against(table: pd.DataFrame, setting: str, metric: str, unit: str) -> Figure:
    figure = canvas(width=5.5)
    (axes,) = panels(figure, 1, 1)
    panel(axes, unit, setting, unit)
    grouped = table.groupby(setting)[metric]
    numeric = is_numeric_dtype(table[setting])
    place = grouped.mean().index if numeric else np.arange(len(grouped))
    axes.errorbar(
        place,
        grouped.mean(),
        yerr=grouped.std().fillna(0),
        fmt="o-" if numeric else "o",
        color=LINES[0],
        capsize=3,
    )
    if not numeric:
        axes.set_xticks(place, list(grouped.groups))
    return figure


def _parallel(table: pd.DataFrame, varied: Sequence[str]) -> Figure:
    """Draw a line for each job through all settings and metrics, coloured by val accuracy."""
    shown = [*varied, *(name for name in METRICS if table[name].nunique() > 1)]
    scaled, ticks = [], []
    for name in shown:
        column = table[name]
        if not is_numeric_dtype(column):
            codes, names = pd.factorize(column, sort=True)
            values, ends = codes / max(len(names) - 1, 1), (str(names[0]), str(names[-1]))
        else:
            low, high = column.min(), column.max()
            values = ((column - low) / max(high - low, 1e-12)).to_numpy()
            ends = (f"{low:.4g}", f"{high:.4g}")
        scaled.append(values)
        ticks.append(ends)
    lines = np.stack(scaled, 1)
    figure = canvas(width=1.5 * len(shown) + 1, height=4.2)
    (axes,) = panels(figure, 1, 1)
    score = table["val_after"].rank(pct=True).fillna(0)
    for line, rank in zip(lines, score, strict=True):
        axes.plot(line, color=LINES[0], alpha=0.25 + 0.75 * rank, linewidth=1 + 2 * rank)
    for place, (low, high) in enumerate(ticks):
        axes.axvline(place, color="#999999", linewidth=0.8)
        axes.annotate(low, (place, -0.02), ha="center", va="top", fontsize=9)
        axes.annotate(high, (place, 1.02), ha="center", va="bottom", fontsize=9)
    axes.set_xticks(range(len(shown)), [name.replace(".", ".\n") for name in shown], fontsize=9)
    axes.tick_params(axis="x", pad=16, length=0)
    axes.set_yticks([])
    axes.set_ylim(-0.05, 1.05)
    axes.spines[:].set_visible(False)
    axes.set_title("All jobs (thicker: higher val accuracy)", fontsize=12, loc="left", pad=24)
    return figure
