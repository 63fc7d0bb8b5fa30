"""Figures of what failures have in common."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from rnnrepair.report.studies.canvas import LINES, canvas, panel, panels

_TEXT = "#111111"


def pattern_figures(
    tables: Mapping[str, pd.DataFrame], pictures: Mapping[str, Tensor]
) -> dict[str, Figure]:
    """Draw the errors inside and outside of each pattern, and of images what they look like."""
    table = tables["patterns"]
    if len(table) == 0:
        return {}
    figures = {"errors": _errors(table)}
    if "patterns" in pictures:
        figures["patterns"] = _pictures(table, pictures["patterns"])
    return figures


def _errors(table: pd.DataFrame) -> Figure:
    figure = canvas(width=7.2)
    (axes,) = panels(figure, 1, 1)
    panel(axes, "Error of samples that have it, and of others", "error", "")
    places = range(len(table))
    for column, shift, label, colour in (
        ("error_inside", -0.2, "inside", LINES[0]),
        ("error_outside", 0.2, "outside", LINES[1]),
    ):
        bars = axes.barh(
            [p + shift for p in places], table[column], 0.38, label=label, color=colour
        )
        axes.bar_label(bars, [f"{share:.1%}" for share in table[column]], padding=3)
    axes.set_yticks(list(places), list(table["pattern"]))
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.legend()
    return figure


def _pictures(table: pd.DataFrame, pictures: Tensor) -> Figure:
    """Draw failures of each pattern above training samples that come nearest to it once edited."""
    n, kinds, shown = pictures.shape[:3]
    figure = canvas(n * kinds, shown, width=0.75, height=0.95)
    cells = figure.subplots(n * kinds, shown, squeeze=False)
    for line, images in zip(cells, pictures.flatten(0, 1), strict=True):
        for axes, image in zip(line, images, strict=True):
            axes.axis("off")
            if bool(image.any()):
                axes.imshow(image.numpy(), cmap="gray_r")
    for number, name in enumerate(table["pattern"]):
        for place, told in enumerate((f"{name}: failures", "training samples nearest to them")):
            title = cells[kinds * number + place, 0].set_title(
                told, loc="left", fontsize=9, color=_TEXT
            )
            # Else its width would be that of the first picture.
            title.set_in_layout(False)
    return figure
