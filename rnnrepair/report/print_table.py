"""Tables in the terminal, or as Markdown."""

from rich.console import Console
from rich.table import Table

from rnnrepair.studies.printed import Printed


def print_table(table: Printed, *, markdown: bool) -> None:
    """Print a table, its cells as they are.

    Args:
        table: what is printed.
        markdown: whether for a file and not for a terminal.
    """
    if markdown:
        print(f"\n**{table.title}**\n")
        for line in (table.header, ["---"] * len(table.header), *table.rows):
            print("| " + " | ".join(line) + " |")
        print()
        return
    pretty = Table(*table.header, title=table.title)
    for row in table.rows:
        pretty.add_row(*row)
    Console().print(pretty)
