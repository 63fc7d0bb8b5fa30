"""Figures of the fault metrics: one for each metric, as in the paper."""

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from rnnrepair.report.studies.canvas import LINES, MARKERS, canvas, panel, panels, shared_legend

_LINES = {
    "benign_truth": "right inputs, own label",
    "fault_pred": "failures, predicted label",
    "fault_truth": "failures, own label",
}
_DASHES = ("--", ":", "-.")
# More panels in a row cannot be read at half size.
_COLUMNS = 3
_METRICS = {
    "metric_1": ("Metric 1", "share of inputs with such a sample"),
    "metric_2": ("Metric 2", "mean share of such samples"),
    "metric_3": ("Metric 3", "mean distance of such samples"),
}


def fault_figures(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Draw each metric against the number of influential samples, a panel for each K."""
    curves, hypothesis = tables["faults"], tables["hypothesis"]
    sizes = list(curves["K"].unique())
    columns = min(len(sizes), _COLUMNS)
    rows = math.ceil(len(sizes) / columns)
    figures = {}
    for metric, (title, unit) in _METRICS.items():
        figure = canvas(rows, columns, width=3.7)
        for axes, k in zip(panels(figure, rows, columns, len(sizes)), sizes, strict=True):
            panel(axes, f"{title}, K = {k}", "influential samples n", unit)
            for colour, (line, name) in enumerate(_LINES.items()):
                part = curves[(curves["K"] == k) & (curves["line"] == line)]
                axes.plot(
                    part["n"],
                    part[metric],
                    color=LINES[colour],
                    linestyle=("-", "--", ":")[colour],
                    linewidth=2,
                    label=name,
                )
                axes.fill_between(
                    part["n"],
                    part[f"{metric}_low"],
                    part[f"{metric}_high"],
                    color=LINES[colour],
                    alpha=0.2,
                    linewidth=0,
                )
        shared_legend(figure, axes)
        figures[f"faults_{metric}"] = figure
    figures["hypothesis"] = _hypothesis(hypothesis)
    return figures


def _hypothesis(table: pd.DataFrame) -> Figure:
    """Draw the trace distance for each K and n, and yardsticks, which know no K, as lines."""
    figure = canvas(width=7.2, height=4.2)
    (axes,) = panels(figure, 1, 1)
    panel(
        axes,
        "More influential samples of the predicted than of the own label",
        "number of states K",
        "share of failures",
    )
    traces, others = table[table["yardstick"] == "trace"], table[table["yardstick"] != "trace"]
    apart = 0.6 * (traces["n"].nunique() - 1) / 2
    for colour, (n, part) in enumerate(traces.groupby("n")):
        axes.errorbar(
            part["K"] + 0.6 * colour - apart,
            part["holds"],
            yerr=[part["holds"] - part["low"], part["high"] - part["holds"]],
            color=LINES[colour % len(LINES)],
            fmt=MARKERS[colour % len(MARKERS)],
            capsize=3,
            label=f"of the {n} nearest traces",
        )
    n_colours = traces["n"].nunique()
    widest = others[others["n"] == others["n"].max()].drop_duplicates("yardstick")
    for place, row in enumerate(widest.itertuples()):
        axes.axhline(
            row.holds,
            color=LINES[(n_colours + place) % len(LINES)],
            linestyle=_DASHES[place % len(_DASHES)],
            linewidth=2,
            label=f"{row.yardstick} ({row.n})",
        )
    axes.set_xticks(traces["K"].unique())
    axes.axhline(0.5, color="#555555", linewidth=0.8)
    shared_legend(figure, axes)
    return figure
