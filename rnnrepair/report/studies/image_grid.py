"""Pictures of the training samples behind a failure."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from rnnrepair.report.studies.canvas import canvas

_TEXT, _NEITHER = "#111111", "#666666"
_COLOURS = {"predicted": "#bd1f01", "true": "#1f6fb4"}


def influence_figures(
    tables: Mapping[str, pd.DataFrame], pictures: Mapping[str, Tensor]
) -> dict[str, Figure]:
    """Draw each failure beside its most influential training samples, nearest first."""
    table, images = tables["influential"], pictures["influential"]
    targets = list(table["failure"].unique())
    columns = 1 + int(table["rank"].max())
    figure = canvas(len(targets), columns, width=0.75, height=0.95)
    cells = figure.subplots(len(targets), columns, squeeze=False)
    for line, target in zip(cells, targets, strict=True):
        part = table[table["failure"] == target]
        for axes, row in zip(line, part.itertuples(), strict=False):
            axes.imshow(images[row.picture].numpy(), cmap="gray_r")
            axes.set_title(
                f"{row.true}, taken\nfor {row.predicted}" if row.rank == 0 else str(row.label),
                fontsize=8,
                color=_TEXT if row.rank == 0 else _COLOURS.get(_agrees(row), _NEITHER),
                fontweight="bold" if row.rank == 0 else "normal",
            )
        for axes in line:
            axes.axis("off")
    figure.supxlabel(
        "the most influential training samples, nearest first, with their labels: red as "
        "predicted, blue as the picture itself, grey neither",
        fontsize=9,
        color=_TEXT,
    )
    return {"influential": figure}


def _agrees(row: Any) -> str:
    """Return which label of the failure a training image carries."""
    return "predicted" if row.label == row.predicted else "true" if row.label == row.true else ""
