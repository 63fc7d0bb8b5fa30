"""What all figures of studies have in common: size, colours, and axes that stay legible small."""

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnrepair.report.colours import PALETTE

# Blue, orange, red, purple, brown, grey: apart for colour-blind readers, and in black and white
# by their markers.
LINES = (PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[4], PALETTE[5], PALETTE[8], PALETTE[7])
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_FONT = 11


def canvas(rows: int = 1, columns: int = 1, width: float = 4.8, height: float = 3.6) -> Figure:
    """Return an empty figure for panels of this size in inches."""
    return Figure(figsize=(width * columns, height * rows), layout="constrained", dpi=120)


def panel(axes: Axes, title: str, x: str, y: str) -> Axes:
    """Name a panel and its axes, with units in the names."""
    axes.set_title(title, fontsize=_FONT + 1, loc="left")
    axes.set_xlabel(x, fontsize=_FONT)
    axes.set_ylabel(y, fontsize=_FONT)
    axes.tick_params(labelsize=_FONT - 1)
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def wrapped(text: str, width: int = 24) -> str:
    """Return text in lines of so many characters, longer words broken; dollar signs stay signs."""
    return "\n".join(textwrap.wrap(text, width) or [""]).replace("$", r"\$")


def legend(axes: Axes, place: str = "best") -> None:
    """Show the names of the lines."""
    axes.legend(fontsize=_FONT - 2, frameon=False, loc=place)  # type: ignore[call-overload]


def shared_legend(figure: Figure, axes: Axes) -> None:
    """Show the names of a panel's lines once for all panels, above them, as wide as they fit."""
    handles, names = axes.get_legend_handles_labels()
    for columns in range(len(names), 0, -1):
        shown = figure.legend(
            handles,
            names,
            loc="outside upper left",
            ncols=columns,
            fontsize=_FONT - 1,
            frameon=False,
        )
        if columns == 1 or shown.get_window_extent().width <= figure.bbox.width:
            return
        shown.remove()


def panels(figure: Figure, rows: int, columns: int, count: int | None = None) -> Sequence[Axes]:
    """Return the panels of a figure, row by row; the places beyond ``count`` stay empty."""
    every = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in every[count:] if count is not None else ():
        spare.remove()
    return every[:count]
