"""The table of a multirun on the terminal, in as many pieces as its width asks for."""

from collections.abc import Sequence

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

# What a column takes beside its text.
_EDGES = 3


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
    console = console or Console()
    shown = table.map(lambda v: f"{v:.4g}" if isinstance(v, float) else str(v))
    headers = {name: name.replace("/", "/\n") for name in shown}
    width = {
        name: _EDGES + max(map(len, (*headers[name].split("\n"), *shown[name]))) for name in shown
    }
    of_jobs = ["job", *varied]
    left = console.width - 1 - sum(width[name] for name in of_jobs)
    pieces: list[list[str]] = [[]]
    room = left
    for name in (name for name in shown if name not in of_jobs):
        if pieces[-1] and width[name] > room:
            pieces.append([])
            room = left
        pieces[-1].append(name)
        room -= width[name]
    for number, names in enumerate(pieces):
        columns = [*of_jobs, *names]
        piece = Table(title=escape(title) if number == 0 else None)
        for name in columns:
            # A name that does not fit anywhere is broken, never cut.
            piece.add_column(escape(headers[name]), overflow="fold")
        for row in shown[columns].itertuples(index=False):
            piece.add_row(*map(escape, row))
        console.print(piece)
