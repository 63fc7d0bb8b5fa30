"""Figure of the validity study."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from rnnrepair.report.studies.canvas import LINES, canvas, panel, panels

_PANELS = {
    "effect": ("Removal: loss moves the right way", "cross entropy"),
    "lds": ("Linear datamodeling score", "rank correlation"),
    "overlap": ("Overlap with exact TracIn", "share of the first k"),
}


def validity_figures(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Draw each measure of every method, with its interval."""
    table = tables["validity"]
    shown = [name for name in _PANELS if name in table]
    figure = canvas(1, len(shown), width=4.8, height=0.8 + 0.35 * len(table))
    for axes, name in zip(panels(figure, 1, len(shown)), shown, strict=True):
        title, unit = _PANELS[name]
        panel(axes, title, unit, "")
        mean = table[name]
        ends = [mean - table[f"{name}_low"], table[f"{name}_high"] - mean]
        axes.errorbar(mean, table["method"], xerr=ends, fmt="o", color=LINES[0], capsize=3)
        if name == "overlap":
            axes.plot(table["chance"], table["method"], "x", color=LINES[1], label="by chance")
            axes.legend(frameon=False)
        axes.axvline(0, color="#555555", linewidth=0.8)
        axes.invert_yaxis()
    return {"validity": figure}
