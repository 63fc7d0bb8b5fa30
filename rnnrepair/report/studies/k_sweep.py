"""Figures of the sweep over the number of states."""

from collections.abc import Mapping

import pandas as pd
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
        "SimNN",
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
        for style, (dims, part) in enumerate(table.groupby("dims", sort=False)):
            for colour, (column, name) in enumerate(shown.items()):
                axes.plot(
                    part["K"],
                    part[column],
                    color=LINES[colour if len(shown) > 1 else style],
                    linestyle=("-", "--", ":")[style % 3],
                    marker=MARKERS[style % len(MARKERS)],
                    markersize=3.5,
                    label=", ".join(filter(None, [name, f"PCA {dims}"])),
                )
        if shown:
            legend(axes)
    return {"k_sweep": figure}
