"""The end of a run: ``summary.json`` for programs, a table on the terminal for people."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rnnrepair.atomic import write_file


def write_summary(summary: dict[str, Any], path: Path) -> None:
    """Write the summary as JSON; the file is replaced in one step."""
    with write_file(path) as draft:
        draft.write_text(json.dumps(summary, indent=2) + "\n")


def print_summary(summary: dict[str, Any], console: Console | None = None) -> None:
    """Print the outcome of a run as a table."""
    before, after = summary["before"], summary["after"]
    table = Table(
        title=f"{summary['experiment'] or 'run'}, seed {summary['seed']}, "
        f"strategy {summary['strategy']}",
        caption=f"{summary['injected']} samples injected in {summary['rounds']} rounds; stopped: "
        f"{summary['stop_reason']}; data: {summary['data']['source']}; "
        f"{summary['time_s']['total']:.0f} s",
    )
    for column in (
        "split",
        "accuracy before",
        "after",
        "failures before",
        "repaired",
        "newly broken",
    ):
        table.add_column(column, justify="left" if column == "split" else "right")
    for split in ("repair", "val", "test"):
        share = after["repaired_share" if split == "repair" else f"{split}_repaired_share"]
        table.add_row(
            split,
            f"{before[f'{split}_accuracy']:.4f}",
            f"{after[f'{split}_accuracy']:.4f}",
            str(before[f"{split}_failures"]),
            "-" if share is None else f"{share:.1%}",
            str(after["newly_broken"]) if split == "test" else "",
        )
    console = console or Console()
    console.print(table)
    for note in summary["notes"]:
        console.print(f"[bold red]{note}[/]")
