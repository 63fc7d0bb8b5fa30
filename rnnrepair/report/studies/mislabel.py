"""Figures of the mislabel study: who finds wrong labels, and what putting them right is worth."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from rnnrepair.report.studies.canvas import LINES, MARKERS, canvas, panel, panels, shared_legend

_METRICS = {
    "auc": "Area under the ROC curve",
    "found_at_rate": "Share found among as many as are wrong",
}
_BOUNDS = {"nothing": "labels as they are", "everything": "true labels"}


def mislabel_figures(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Draw what each method finds, mean over seeds; and accuracies after putting labels right."""
    figures = {"mislabel": _found(tables["mislabel"])}
    if "restored" in tables:
        figures["mislabel_restored"] = _restored(tables["restored"])
    return figures


def _found(table: pd.DataFrame) -> Figure:
    means = table.groupby(["method", "by", "flips"], sort=False)[list(_METRICS)].mean()
    methods = list(dict.fromkeys(table["method"]))
    kinds = [kind for kind in ("all", "fitted") if kind in set(table["flips"])]
    figure = canvas(1, len(_METRICS), width=5.4, height=1.2 + 0.34 * len(methods))
    every = panels(figure, 1, len(_METRICS))
    for axes, (metric, name) in zip(every, _METRICS.items(), strict=True):
        panel(axes, name, "", "")
        for place, (kind, by) in enumerate((k, b) for k in kinds for b in ("itself", "targets")):
            shown = [m for m in methods if (m, by, kind) in means.index]
            axes.plot(
                [means.loc[(m, by, kind), metric] for m in shown],
                # Apart, where they say the same.
                [methods.index(m) + (place - 1.5) * 0.18 for m in shown],
                MARKERS[place],
                markersize=5,
                color=LINES[place],
                label=f"{kind} wrong labels, " + ("alone" if by == "itself" else "for failures"),
            )
        axes.set_yticks(range(len(methods)), methods)
        axes.set_xlim(-0.02, 1.02)
        axes.invert_yaxis()
        if metric == "auc":
            axes.axvline(0.5, color="#555555", linewidth=0.8)
    shared_legend(figure, every[0])
    return figure


def _restored(table: pd.DataFrame) -> Figure:
    figure = canvas(width=6.4)
    (axes,) = panels(figure, 1, 1)
    panel(axes, "Trained again on what was found", "samples looked at", "test accuracy")
    means = table.groupby(["method", "share"], sort=False)["accuracy"].mean()
    for style, (bound, name) in zip((":", "--"), _BOUNDS.items(), strict=True):
        axes.axhline(means[bound].iloc[0], color="#555555", linestyle=style, label=name)
    methods = [m for m in dict.fromkeys(table["method"]) if m not in _BOUNDS]
    for place, method in enumerate(methods):
        curve = means[method]
        marker, colour = MARKERS[place % len(MARKERS)], LINES[place % len(LINES)]
        axes.plot(curve.index, curve.values, marker=marker, color=colour, label=method)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    shared_legend(figure, axes)
    return figure
