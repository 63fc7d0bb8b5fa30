"""Tables of any width on a terminal: what does not fit stands in a table below, nothing is cut."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# What a column takes beside its text.
_EDGES = 3


def print_pieces(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    keys: int,
    console: Console | None = None,
) -> None:
    """Print a table in as many pieces as the width asks for.

    Args:
        title: above the first piece.
        header: a name for each column; may have several lines.
        rows: as many cells each.
        keys: so many columns, the first, stand in every piece.
        console: where it is printed.
    """
    console = console or Console()
    width = [
        _EDGES + max(map(len, (*name.split("\n"), *(row[place] for row in rows))))
        for place, name in enumerate(header)
    ]
    left = console.width - 1 - sum(width[:keys])
    pieces: list[list[int]] = [[]]
    room = left
    for place in range(keys, len(header)):
        if pieces[-1] and width[place] > room:
            pieces.append([])
            room = left
        pieces[-1].append(place)
        room -= width[place]
    for number, places in enumerate(pieces):
        columns = [*range(keys), *places]
        piece = Table(title=escape(title) if number == 0 else None)
        for place in columns:
            # A name that does not fit anywhere is broken, never cut.
            piece.add_column(escape(header[place]), overflow="fold")
        for row in rows:
            piece.add_row(*(escape(row[place]) for place in columns))
        console.print(piece)
