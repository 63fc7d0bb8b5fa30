"""Figures of the comparison of clusterings."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rnnrepair.report.studies.canvas import LINES, MARKERS, canvas, panel, panels, shared_legend


def clustering_figures(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Draw time against the number of states, and SimNN on every clustering."""
    times, quality = tables["clustering_time"], tables["clustering_quality"]
    figure = canvas(1, 2, width=6)
    left, right = panels(figure, 1, 2)
    panel(left, "Time of a fit", "hidden states", "seconds")
    left.set(xscale="log", yscale="log")
    for i, (name, part) in enumerate(times.groupby("clustering", sort=False)):
        left.plot(
            part["points"],
            part["seconds"],
            color=LINES[i % len(LINES)],
            marker=MARKERS[i % len(MARKERS)],
            markersize=4,
            label=name,
        )
    names, sets = list(quality["clustering"].unique()), list(quality["features"].unique())
    panel(right, "SimNN", "features", "test accuracy")
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        rows = quality[quality["clustering"] == name].set_index("features").reindex(sets)
        right.errorbar(
            np.arange(len(sets)) + (i - (len(names) - 1) / 2) * width,
            rows["test"],
            yerr=rows["test_sd"],
            fmt=MARKERS[i % len(MARKERS)],
            color=LINES[i % len(LINES)],
            markersize=5,
            capsize=2,
            label=f"{name} ({rows['states'].iloc[0]:.0f} states)",
        )
    right.set_xticks(range(len(sets)), sets)
    shared_legend(figure, right)
    return {"clustering": figure}
