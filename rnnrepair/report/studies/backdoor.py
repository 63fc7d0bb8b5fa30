"""Figures of a backdoor: who finds the poison, and what each repair leaves of the attack."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from rnnrepair.report.studies.canvas import LINES, canvas, panel, panels, shared_legend

_HEIGHT = 0.38


def backdoor_figures(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Draw the poison found by each method, and the success of attacks after each repair.

    Of several seeds the means.
    """
    figures = {"backdoor_found": _found(_means(tables["found"], ["method"]))}
    if "repairs" in tables:
        figures["backdoor_repairs"] = _repairs(_means(tables["repairs"], ["repair", "training"]))
    return figures


def _means(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return rows.groupby(keys, sort=False).mean().reset_index()


def _found(table: pd.DataFrame) -> Figure:
    figure = canvas(width=7.2)
    (axes,) = panels(figure, 1, 1)
    panel(axes, "Poison found without being told the trigger", "poisoned samples", "")
    looked_at = [c.removeprefix("found_in_") for c in table.columns if c.startswith("found_in_")]
    for place, n in enumerate(looked_at):
        at = [row + (place - (len(looked_at) - 1) / 2) * _HEIGHT for row in range(len(table))]
        bars = axes.barh(
            at,
            table[f"found_in_{n}"],
            height=_HEIGHT,
            color=LINES[place % len(LINES)],
            label=f"in the first {n}",
        )
        axes.bar_label(bars, fmt="%.3g", padding=3)
    axes.set_yticks(range(len(table)), table["method"])
    axes.invert_yaxis()
    axes.margins(x=0.1)
    shared_legend(figure, axes)
    return figure


def _repairs(table: pd.DataFrame) -> Figure:
    figure = canvas(columns=2, width=4.8)
    left, right = panels(figure, 1, 2)
    panel(left, "Guided attacks", "share that succeeds", "")
    panel(right, "Clean test samples", "accuracy", "")
    names = list(dict.fromkeys(table["repair"]))
    for place, (training, part) in enumerate(table.groupby("training", sort=False)):
        rows = [names.index(name) + (place - 0.5) * _HEIGHT for name in part["repair"]]
        for axes, column in ((left, "guided"), (right, "test_accuracy")):
            colour = LINES[place % len(LINES)]
            axes.barh(rows, part[column], height=_HEIGHT, color=colour, label=str(training))
    for axes in (left, right):
        axes.set_yticks(range(len(names)), names)
        axes.set_xlim(0, 1)
        axes.invert_yaxis()
    shared_legend(figure, left)
    return figure
