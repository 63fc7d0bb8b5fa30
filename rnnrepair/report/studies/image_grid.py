"""Pictures of the training images behind a failure."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from rnnrepair.report.studies.canvas import canvas


def influence_figures(
    tables: Mapping[str, pd.DataFrame], pictures: Mapping[str, Tensor]
) -> dict[str, Figure]:
    """Draw each failure beside its most influential training images, nearest first."""
    table, images = tables["influential"], pictures["influential"]
    targets = list(table["failure"].unique())
    columns = 1 + int(table["rank"].max())
    figure = canvas(len(targets), columns, width=0.75, height=0.95)
    cells = figure.subplots(len(targets), columns, squeeze=False)
    for line, target in zip(cells, targets, strict=True):
        part = table[table["failure"] == target]
        for axes, row in zip(line, part.itertuples(), strict=False):
            axes.imshow(images[row.picture].numpy(), cmap="gray_r")
            same = row.label == row.true if row.rank else False
            axes.set_title(
                f"{row.true}, taken\nfor {row.predicted}" if row.rank == 0 else str(row.label),
                fontsize=8,
                color="#111111" if row.rank == 0 else ("#1f6fb4" if same else "#bd1f01"),
                fontweight="bold" if row.rank == 0 else "normal",
            )
        for axes in line:
            axes.axis("off")
    return {"influential": figure}
