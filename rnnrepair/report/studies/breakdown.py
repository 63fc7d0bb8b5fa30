"""Figure of the kinds of failures."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from rnnrepair.report.studies.canvas import LINES, canvas, panel, panels


def breakdown_figures(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Draw how many failures there are of each kind, in the order in which kinds are asked for."""
    table = tables["breakdown"]
    figure = canvas(width=7.2)
    (axes,) = panels(figure, 1, 1)
    panel(axes, "Kinds of failures", "failures", "")
    bars = axes.barh(table["kind"], table["failures"], color=LINES[0])
    shares = [f"{row.failures} ({row.share:.0%})" for row in table.itertuples()]
    axes.bar_label(bars, shares, padding=3)
    # Room for the label of the longest bar: layouts measure axes, and not what stands beyond them.
    axes.margins(x=0.35)
    axes.invert_yaxis()
    return {"breakdown": figure}
