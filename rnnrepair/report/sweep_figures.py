"""Figures of a multirun."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pandas.api.types import is_numeric_dtype

from rnnrepair.report.studies.canvas import LINES, MARKERS, canvas, panel, panels, shared_legend
from rnnrepair.runs.sweep import METRICS, SCORES


def sweep_figures(table: pd.DataFrame, varied: Sequence[str]) -> dict[str, Figure]:
    """Draw every metric against the first setting, and all jobs as parallel coordinates.

    Seeds are averaged over; every combination of the other settings gets a line of its own.
    """
    first, *others = [name for name in varied if name != "seed"] or list(varied)
    figures = {
        name: _against(table, first, others, name, METRICS[name])
        for name in table
        if name in METRICS
    }
    figures["parallel_coordinates"] = _parallel(table, varied)
    return figures


# Values of a setting that each get a tick.
MANY_TICKS = 10


def _against(
    table: pd.DataFrame, setting: str, others: Sequence[str], metric: str, unit: str
) -> Figure:
    figure = canvas(width=6.5)
    (axes,) = panels(figure, 1, 1)
    panel(axes, f"{unit} (bars: sd over seeds)", setting, unit)
    numeric = is_numeric_dtype(table[setting])
    names = sorted(table[setting].unique())
    combinations = table.groupby(others, sort=True) if others else [((), table)]
    for line, (values, part) in enumerate(combinations):
        grouped = part.groupby(setting)[metric]
        mean = grouped.mean()
        axes.errorbar(
            mean.index if numeric else [names.index(name) for name in mean.index],
            mean,
            yerr=grouped.std().fillna(0),
            fmt=MARKERS[line % len(MARKERS)] + ("-" if numeric else ""),
            color=LINES[line % len(LINES)],
            capsize=3,
            label=", ".join(f"{o.split('.')[-1]} {v}" for o, v in zip(others, values, strict=True)),
        )
    if not numeric:
        axes.set_xticks(range(len(names)), names)
    elif len(names) <= MANY_TICKS:
        axes.set_xticks(names)  # no number of states between two that were tried
    if others:
        shared_legend(figure, axes)
    return figure


def _parallel(table: pd.DataFrame, varied: Sequence[str]) -> Figure:
    """Draw a line for each job through all settings and metrics, the better the thicker."""
    shown = [*varied, *(n for n in table if n in METRICS and table[n].nunique() > 1)]
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
    by = next(name for name in SCORES if name in table)
    score = table[by].rank(pct=True).fillna(0)
    for line, rank in zip(lines, score, strict=True):
        axes.plot(line, color=LINES[0], alpha=0.25 + 0.75 * rank, linewidth=1 + 2 * rank)
    for place, (low, high) in enumerate(ticks):
        axes.axvline(place, color="#999999", linewidth=0.8)
        axes.annotate(low, (place, -0.02), ha="center", va="top", fontsize=9)
        axes.annotate(high, (place, 1.02), ha="center", va="bottom", fontsize=9)
    axes.set_xticks(
        range(len(shown)), [re.sub(r"([./])", r"\1\n", name) for name in shown], fontsize=9
    )
    axes.tick_params(axis="x", pad=16, length=0)
    axes.set_yticks([])
    axes.set_ylim(-0.05, 1.05)
    axes.spines[:].set_visible(False)
    axes.set_title(f"All jobs (thicker: higher {METRICS[by]})", fontsize=12, loc="left", pad=24)
    return figure
