"""The end of a run on the terminal: a table, and failures that can be read."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnnrepair.network import Predictions
from rnnrepair.report.cards import FailureCard
from rnnrepair.report.colours import class_colours
from rnnrepair.report.names import Names

PRINTED = 5


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
        is_name = column == "split"
        table.add_column(column, justify="left" if is_name else "right", no_wrap=is_name)
    trained_on = summary["repair_trained_on"]
    for split in ("repair", "val", "test"):
        share = after["repaired_share" if split == "repair" else f"{split}_repaired_share"]
        table.add_row(
            f"{split} (trained on)" if split == "repair" and trained_on else split,
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


def print_failures(
    cards: Sequence[FailureCard],
    after: Predictions,
    names: Names,
    console: Console | None = None,
) -> None:
    """Print the first failures that are text, step predictions as colours under the words."""
    console = console or Console()
    fixed = set(after.index[after.correct].tolist())
    for card in [card for card in cards if card.is_text][:PRINTED]:
        colour = class_colours([card.label, card.predicted, *card.predictions.tolist()])
        line = Text(
            f"{'repaired' if card.index in fixed else 'still wrong'} (sample {card.index}): "
            f"true {names.of_class(card.label)}, predicted {names.of_class(card.predicted)}\n",
            style="bold",
        )
        first, end = card.segment
        predicted = card.predictions.tolist()
        for step, word in enumerate(names.of_tokens(card.inputs)):
            style = f"not bold underline {colour[predicted[step]].fill}"
            if step == card.step:
                style += " reverse"
            elif first <= step < end:
                style += " bold"
            line.append(word, style=style)
            line.append(" ", style="not bold")
        console.print(line)
    if any(card.is_text for card in cards):
        console.print(
            "Colours: the class predicted after each word; reversed: the responsible word; bold: "
            "the rest of its segment. More in report.html.",
            style="dim",
        )
