"""Figures of the sweep over the number of states."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnrepair.report.studies.canvas import LINES, MARKERS, canvas, legend, panel, panels

# Title, unit, and the columns drawn with their names.
_PANELS = (
    ("Bayesian information criterion", "BIC, smaller is better", {"bic": ""}),
    (
        "Stability",
        "share of the majority class",
        {"stability": "mean", "stability_weighted": "by visits", "stability_min": "least"},
    ),
    (
        "SimNN (few states lie below the axis)",
        "test accuracy",
        {"simnn_test": "SimNN", "rnn_test": "the network itself"},
    ),
    ("Faithfulness", "share of test sequences", {"faithful_test": ""}),
    ("Empty states", "number", {"n_empty": ""}),
    ("Time", "seconds", {"fit_s": "mixture", "assign_s": "assignment", "simnn_s": "SimNN"}),
)


def k_sweep_figures(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Draw every metric against K, a line for each number of components."""
    table = tables["k_sweep"]
    figure = canvas(2, 3)
    for axes, (title, unit, columns) in zip(panels(figure, 2, 3), _PANELS, strict=True):
        panel(axes, title, "number of states K", unit)
        shown = {column: name for column, name in columns.items() if column in table}
        if shown:
            _lines(axes, table, shown)
            _limits(axes, table, shown)
            legend(axes)
    return {"k_sweep": figure}


def _lines(axes: Axes, table: pd.DataFrame, shown: Mapping[str, str]) -> None:
    for style, (dims, part) in enumerate(table.groupby("dims", sort=False)):
        for colour, (column, name) in enumerate(shown.items()):
            if column == "rnn_test":  # the same for all
                if style == 0:
                    axes.axhline(part[column].iloc[0], color="#555555", linestyle="--", label=name)
                continue
            axes.plot(
                part["K"],
                part[column],
                color=LINES[colour if len(shown) > 2 else style],
                linestyle=("-", "--", ":")[style % 3],
                marker=MARKERS[style % len(MARKERS)],
                markersize=3.5,
                label=", ".join(filter(None, [name, f"PCA {dims}"])),
            )


def _limits(axes: Axes, table: pd.DataFrame, shown: Mapping[str, str]) -> None:
    """Cut SimNN's axis where the differences are, and leave room for names above others."""
    if "simnn_test" in shown:
        low, high = table["simnn_test"].min(), table["rnn_test"].max()
        axes.set_ylim(max(low, high - 0.05), high + 0.002)
    elif "n_empty" in shown:
        axes.set_ylim(-0.5, max(table["n_empty"].max(), 1) + 1)
    elif "fit_s" in shown:
        axes.set_ylim(0, 1.6 * table[list(shown)].max().max())
