"""Tables in the terminal, or as Markdown."""

from rnnrepair.report.pieces import print_pieces
from rnnrepair.studies.printed import Printed


def print_table(table: Printed, *, markdown: bool) -> None:
    """Print a table, on a narrow terminal in pieces, one below the other.

    Columns that say nothing of any row are left out.

    Args:
        table: what is printed.
        markdown: whether for a file and not for a terminal.
    """
    table = table.without_empty_columns()
    if markdown:
        print(f"\n**{table.title}**\n")
        for line in (table.header, ["---"] * len(table.header), *table.rows):
            print("| " + " | ".join(line) + " |")
        print()
        return
    print_pieces(table.title, table.header, table.rows, table.keys)
