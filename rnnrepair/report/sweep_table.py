"""The table of a multirun on the terminal, in as many pieces as its width asks for."""

from collections.abc import Sequence

import pandas as pd
from rich.console import Console

from rnnrepair.report.pieces import print_pieces


def print_sweep(
    table: pd.DataFrame, varied: Sequence[str], title: str, console: Console | None = None
) -> None:
    """Print a row for each job; metrics that do not fit beside the others come in a table below.

    Args:
        table: see ``read_sweep``.
        varied: settings in which jobs differ; they stand in every piece.
        title: of the table.
        console: where it is printed.
    """
    shown = table.map(lambda v: f"{v:.4g}" if isinstance(v, float) else str(v))
    first = ["job", *varied]
    columns = [*first, *(name for name in shown if name not in first)]
    header = [name.replace("/", "/\n") for name in columns]
    rows = [list(row) for row in shown[columns].itertuples(index=False)]
    print_pieces(title, header, rows, len(first), console)
