"""Picture of the abstract automaton."""

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from rnnrepair.report.colours import class_colours
from rnnrepair.report.studies.canvas import canvas, panel, panels, wrapped

# Transitions drawn: at least this share of those that leave a state.
AT_LEAST = 0.15
_PATH = "#111111"
_TITLE = (
    "Abstract automaton: a circle is a state with its number, larger for more visits\n"
    f"Grey arrows: at least {AT_LEAST:.0%} of what leaves a state; staying in it is not drawn"
)


def automaton_figures(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Draw states where their means lie, coloured by class and sized by visits, with one path."""
    states = tables["automaton_states"]
    figure = canvas(width=9, height=7.2)
    (axes,) = panels(figure, 1, 1)
    where = "mean of the state on the {} principal component"
    panel(axes, _TITLE, where.format("first"), where.format("second"))
    place = states.set_index("state")[["x", "y"]]
    size = 150 + 1800 * states["visits"] / max(states["visits"].max(), 1)
    radius = dict(zip(states["state"], np.sqrt(size) / 2, strict=True))
    edges = tables["automaton_transitions"]
    leaving = edges[(edges["source"] >= 0) & (edges["source"] != edges["target"])]
    share = leaving["count"] / leaving.groupby("source")["count"].transform("sum")
    for edge in leaving.assign(share=share).itertuples():
        if edge.share >= AT_LEAST:
            _arrow(
                axes,
                place.loc[edge.source],
                place.loc[edge.target],
                radius[edge.source],
                radius[edge.target],
                linewidth=0.6 + 2 * edge.share,
                color="#bbbbbb",
            )
    _draw_path(axes, tables["automaton_path"], place, radius)
    # A state that nothing visits has no class; the smaller stand on top of the larger.
    states = states.assign(area=size)[states["visits"] > 0].sort_values("area", ascending=False)
    colours = class_colours(sorted(states["majority"].unique()))
    called = dict(zip(states["majority"], states["majority_name"], strict=True))
    for layer, row in enumerate(states.itertuples()):
        colour = colours[row.majority]
        # Each label right above its state, below the next state.
        zorder = 3 + 2 * layer
        axes.scatter(row.x, row.y, s=row.area, color=colour.fill, edgecolors="white", zorder=zorder)
        axes.annotate(
            str(row.state),
            (row.x, row.y),
            ha="center",
            va="center",
            fontsize=9,
            color=colour.ink,
            zorder=zorder + 1,
        )
    keys = [
        Line2D(
            [],
            [],
            marker="o",
            linestyle="",
            color=c.fill,
            markersize=9,
            label=wrapped(f"class {called[k]}"),
        )
        for k, c in colours.items()
    ]
    last = tables["automaton_path"].iloc[-1]
    what = f"{last['label_name']} taken for {last['prediction_name']}"
    if last["label"] == last["prediction"]:
        what = f"{last['label_name']}, rightly"
    told = f"path of sample {last['sample']}:\n{wrapped(what)}"
    keys.append(Line2D([], [], color=_PATH, linewidth=1.8, label=told))
    axes.legend(
        handles=keys,
        title="predicted most often\nin the state:",
        fontsize=9,
        title_fontsize=9,
        alignment="left",
        frameon=False,
        loc="center left",
        bbox_to_anchor=(1, 0.5),
    )
    axes.margins(0.12)
    return {"automaton": figure}


def _draw_path(
    axes: Axes, path: pd.DataFrame, place: pd.DataFrame, radius: Mapping[int, float]
) -> None:
    states = path["state"].tolist()
    axes.annotate(
        "start",
        place.loc[states[0]],
        xytext=(-34, 26),
        textcoords="offset points",
        fontsize=9,
        arrowprops={"arrowstyle": "->", "color": _PATH, "linewidth": 1.8},
        zorder=1000,  # above every state
    )
    moves = list(dict.fromkeys(itertools.pairwise(states)))
    for source, target in moves:
        if source != target:
            _arrow(
                axes,
                place.loc[source],
                place.loc[target],
                radius[source],
                radius[target],
                linewidth=1.8,
                color=_PATH,
            )


def _arrow(
    axes: Axes,
    source: pd.Series,
    target: pd.Series,
    source_radius: float,
    target_radius: float,
    linewidth: float,
    color: str,
) -> None:
    """Draw a bent arrow, so that both directions between two states can be told apart."""
    axes.add_patch(
        FancyArrowPatch(
            tuple(source),
            tuple(target),
            connectionstyle="arc3,rad=0.18",
            arrowstyle="-|>",
            mutation_scale=11,
            shrinkA=source_radius,
            shrinkB=target_radius,
            linewidth=linewidth,
            color=color,
            zorder=2 if color == _PATH else 1,
        )
    )
