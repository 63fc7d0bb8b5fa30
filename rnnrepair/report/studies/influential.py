"""Failures beside the training samples that they resemble most: pictures, lines or words."""

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from rnnrepair.report.studies.canvas import LINES, canvas
from rnnrepair.sequences import Kind

_TEXT, _NEITHER = "#111111", "#666666"
_COLOURS = {"predicted": "#bd1f01", "true": "#1f6fb4"}
# More channels are told apart in a picture (time to the right, a channel a row), not as lines.
_AS_LINES = 6
# Lines of a text that are shown.
_TEXT_LINES = 9


@dataclass(frozen=True)
class _Look:
    """How samples of a kind are drawn.

    Attributes:
        width: of a cell in inches.
        height: of a cell in inches.
        most: training samples beside each failure, at most; the table has all.
        letters: of a title or text that stand in a line of a cell.
        draw: one sample (its row of the table, its sequence, those of its line) into its axes.
    """

    width: float
    height: float
    most: int
    letters: int
    draw: Callable[[Axes, Any, Tensor | None, list[Tensor]], None]


def influence_figures(
    tables: Mapping[str, pd.DataFrame], pictures: Mapping[str, Tensor]
) -> dict[str, Figure]:
    """Draw each failure beside its most influential training samples, nearest first."""
    table = tables["influential"]
    kind = Kind(table["kind"].iloc[0])
    look = _LOOKS[kind]
    targets = list(table["failure"].unique())
    ranks = int(table["rank"].max())
    columns = 1 + min(ranks, look.most)
    figure = canvas(len(targets), columns, width=look.width, height=look.height)
    cells = figure.subplots(len(targets), columns, squeeze=False)
    inputs = pictures.get("influential")
    for line, target in zip(cells, targets, strict=True):
        rows = list(table[(table["failure"] == target) & (table["rank"] < columns)].itertuples())
        own = [] if inputs is None else [inputs[row.picture, : row.n_steps] for row in rows]
        for place, (axes, row) in enumerate(zip(line, rows, strict=False)):
            look.draw(axes, row, own[place] if own else None, own)
            is_failure = row.rank == 0
            axes.set_title(
                _title(row, look.letters),
                fontsize=8,
                color=_TEXT if is_failure else _COLOURS.get(_agrees(row), _NEITHER),
                fontweight="bold" if is_failure else "normal",
            )
        for axes in line:
            axes.set_axis_off()
    shown = "" if columns > ranks else f"the first {columns - 1} of {ranks}; "
    if kind == Kind.SERIES and inputs is not None:
        channel = "line" if inputs.shape[2] <= _AS_LINES else "row"
        shown += f"time runs to the right, a {channel} is a channel; "
    told = (
        f"a failure, and the most influential training samples, nearest first ({shown}titles are "
        "labels: red as predicted, blue as the failure itself, grey neither)"
    )
    room = max(int(16 * look.width * columns), 40)
    figure.supxlabel("\n".join(textwrap.wrap(told, room)), fontsize=9, color=_TEXT)
    return {"influential": figure}


def _title(row: Any, letters: int) -> str:
    if row.rank:
        return _cell(row.label_name, letters, 2)
    taken = _cell(f"taken for {row.predicted_name}", letters, 3)
    return f"{_cell(row.true_name, letters, 2)},\n{taken}"


def _agrees(row: Any) -> str:
    """Return which label of the failure a training sample carries."""
    return "predicted" if row.label == row.predicted else "true" if row.label == row.true else ""


def _cell(text: object, letters: int, lines: int) -> str:
    """Return text in so many lines of so many letters; what is left out is marked."""
    wrapped = textwrap.wrap(str(text), letters, max_lines=lines, placeholder=" …")
    return "\n".join(wrapped).replace("$", r"\$")


def _draw_image(axes: Axes, _row: Any, own: Tensor | None, _line: list[Tensor]) -> None:
    if own is not None:
        axes.imshow(own.numpy(), cmap="gray_r")


def _draw_series(axes: Axes, _row: Any, own: Tensor | None, line: list[Tensor]) -> None:
    """Draw (T, F) values, to the scale of all series in a line."""
    if own is None:
        return
    values = np.concatenate([one.numpy() for one in line])
    low, high = float(values.min()), float(values.max())
    longest = max(len(one) for one in line)
    if own.shape[1] > _AS_LINES:
        axes.imshow(own.numpy().T, cmap="viridis", vmin=low, vmax=high, aspect="auto")
        axes.set_xlim(-0.5, longest - 0.5)
        return
    for channel, colour in zip(own.numpy().T, LINES, strict=False):
        axes.plot(channel, color=colour, linewidth=0.9)
    room = 0.05 * (high - low) or 1.0
    axes.set_xlim(0, max(longest - 1, 1))
    axes.set_ylim(low - room, high + room)


def _draw_text(axes: Axes, row: Any, _own: Tensor | None, _line: list[Tensor]) -> None:
    words = _cell(row.text, _LOOKS[Kind.TOKENS].letters, _TEXT_LINES)
    axes.text(0, 1, words, fontsize=7, color=_TEXT, va="top", transform=axes.transAxes)


_LOOKS = {
    Kind.IMAGE: _Look(width=0.75, height=0.95, most=20, letters=11, draw=_draw_image),
    Kind.SERIES: _Look(width=1.3, height=1.4, most=8, letters=18, draw=_draw_series),
    Kind.TOKENS: _Look(width=2.3, height=1.6, most=4, letters=36, draw=_draw_text),
}
