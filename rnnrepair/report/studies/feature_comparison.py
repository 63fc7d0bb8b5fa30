"""Figure of the comparison of feature sets."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rnnrepair.report.studies.canvas import LINES, canvas, legend, panel, panels


def feature_figures(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Draw SimNN's test accuracy for every feature set, a panel for each K."""
    table = tables["features"]
    sizes = list(table["K"].unique())
    thresholds = list(table["threshold"].unique())
    names = list(table["features"].unique())
    figure = canvas(1, len(sizes), width=6)
    for axes, k in zip(panels(figure, 1, len(sizes)), sizes, strict=True):
        part = table[table["K"] == k]
        panel(axes, f"SimNN, K = {k}", "features", "test accuracy")
        width = 0.8 / len(thresholds)
        for place, threshold in enumerate(thresholds):
            rows = part[part["threshold"] == threshold].set_index("features").reindex(names)
            axes.errorbar(
                np.arange(len(names)) + (place - (len(thresholds) - 1) / 2) * width,
                rows["test"],
                yerr=rows["test_sd"],
                fmt="os^Dv"[place % 5],
                color=LINES[place % len(LINES)],
                capsize=3,
                label=f"threshold {threshold}",
            )
        axes.axhline(part["rnn_test"].iloc[0], color="#555555", linestyle="--", linewidth=1)
        axes.annotate(
            "the network itself",
            (0, part["rnn_test"].iloc[0]),
            ha="left",
            va="bottom",
            fontsize=9,
            color="#555555",
        )
        axes.set_xticks(range(len(names)), names)
        legend(axes, "lower right")
    return {"features": figure}
