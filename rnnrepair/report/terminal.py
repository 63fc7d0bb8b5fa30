"""The end of a run on the terminal: a table, and failures that can be read."""

from collections.abc import Mapping, Sequence

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rnnrepair.protocols import Split, names_of_samples
from rnnrepair.record import (
    CurvePoint,
    FoundPattern,
    Interpolation,
    Repair,
    RunRecord,
    summary_of,
)
from rnnrepair.repair import StopReason
from rnnrepair.report.cards import FailureCard, ShownData, failure_cards
from rnnrepair.report.cleaning import cleaning_line
from rnnrepair.report.colours import class_colours
from rnnrepair.report.outcome_view import class_views, unequal_hint
from rnnrepair.report.sequence_figure import reads_stepwise
from rnnrepair.report.wording import count, percent
from rnnrepair.scores import Monitor
from rnnrepair.sequences import Kind, Names

PRINTED = 5


def print_summary(record: RunRecord, data: ShownData, console: Console | None = None) -> None:
    """Print the outcome of a repair as tables: of the splits, and of the classes."""
    summary = summary_of(record)
    table = Table(
        title=f"{summary['experiment'] or 'run'}, seed {summary['seed']}, "
        f"strategy {summary['strategy']}",
        caption=f"{count(summary['injected'], 'sample')} injected in "
        f"{count(summary['rounds'], 'round')}; {count(summary['steps'], 'optimizer step')}; "
        f"stopped: {escape(StopReason(summary['stop_reason']).message)}; data: "
        f"{escape(summary['data']['source'])}; "
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
    answers = {} if record.repair is None else record.repair.answers
    for split in sorted(answers, key=_place):
        told = answers[split].outcome
        share = told.repaired_share
        table.add_row(
            f"{split} (trained on)"
            if split == "repair" and summary["repair_trained_on"]
            else split,
            f"{told.before:.4f}",
            f"{told.after:.4f}",
            str(told.failures_before),
            "-" if share is None else f"{share:.1%}",
            str(told.newly_broken),
        )
    console = console or Console()
    console.print(table)
    if record.monitor != Monitor.ACCURACY:
        scores = (
            f"{split} {summary['before'][f'{split}_{record.monitor}']:.4f} → "
            f"{summary['after'][f'{split}_{record.monitor}']:.4f}"
            for split in sorted(answers, key=_place)
        )
        console.print(f"{record.monitor.replace('_', ' ')}, before → after: {', '.join(scores)}")
    if record.repair is not None and record.repair.effort.cleaned is not None:
        val = record.repair.answers["val"]
        console.print(cleaning_line(record.repair.effort.cleaned, val, record.monitor))
    if "corrections" in summary:
        said = dict(summary["corrections"])
        source = said.pop("source")
        console.print(f"corrections of {escape(source)}: {_counts(said)}")
    if record.repair is not None and record.repair.interpolation is not None:
        print_interpolation(record.repair.interpolation, console)
    if record.repair is not None and record.repair.patterns:
        console.print(_patterns(record.repair.patterns))
    if record.repair is not None:
        console.print(_classes(record, record.repair, Names.of(data.spec)))
    for note in summary["notes"]:
        console.print(f"[bold red]{escape(note)}[/]")


def _counts(told: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {what}" for what, n in told.items()).replace("_", " ")


def _classes(record: RunRecord, repair: Repair, names: Names) -> Table:
    """Return the accuracy of each class as a table, with a hint where classes are unequal."""
    hint = unequal_hint(record, names)
    table = Table(
        "class",
        "trained on",
        "test samples",
        "accuracy before",
        "after",
        title="accuracy of each class of the test split",
        caption=None if hint is None else escape(hint),
    )
    for view in class_views(repair.answers["test"], record.class_sizes):
        trained = "" if view.trained is None else str(view.trained)
        accuracies = (f"{view.before:.4f}", f"{view.after:.4f}")
        table.add_row(escape(names.of_class(view.number)), trained, str(view.tested), *accuracies)
    return table


def _place(split: Split) -> int:
    """Return where the splits stand: what is only reported comes last."""
    return ("repair", "val", "test").index(split) if split in ("repair", "val", "test") else 3


def _patterns(patterns: Sequence[FoundPattern]) -> Table:
    """Return what failures were found to have in common, and what became of it.

    Two columns, so that a terminal of 80 characters shows the pattern whole.
    """
    table = Table(title="what failures on the repair split have in common")
    table.add_column("pattern", overflow="fold")
    table.add_column("wrong before → after", no_wrap=True)
    for found in patterns:
        became = [
            f"{split} {errors.before} → {errors.after} of {errors.samples}"
            for split, errors in found.splits.items()
            if split != "repair" and errors.samples
        ]
        told = (
            f"[bold]{escape(found.description)}[/]\n{count(len(found.failures), 'failure')}, error "
            f"{found.error_inside:.0%} inside, {found.error_outside:.1%} outside; "
            f"{count(found.injected, 'sample')} injected"
        )
        table.add_row(told, "\n".join(became), end_section=True)
    return table


def print_interpolation(way: Interpolation, console: Console | None = None) -> None:
    """Print what the networks between the unrepaired and the final one repair and break."""
    table = Table(title=f"from the unrepaired (0) to the final network (1); val chose {way.factor}")
    for column in ("factor", "split", "accuracy", "repaired", "share", "newly broken"):
        table.add_column(column, justify="left" if column == "split" else "right")
    for point in way.curve:
        style = "bold" if point.factor == way.factor else None
        table.add_row(*_cells(point), style=style, end_section=point.factor == 1)
    (console or Console()).print(table)


def _cells(point: CurvePoint) -> tuple[str, ...]:
    changed = (str(point.repaired), percent(point.repaired_share), str(point.newly_broken))
    return (f"{point.factor:g}", point.split, f"{point.accuracy:.4f}", *changed)


def print_failures(repair: Repair, data: ShownData, console: Console | None = None) -> None:
    """Print the first failures that are text, step predictions as colours under the words."""
    if data.spec.kind != Kind.TOKENS or not repair.failures:
        return
    console, names, samples = console or Console(), Names.of(data.spec), names_of_samples(data)
    after = repair.answers["repair"].final
    fixed = set(after.index[after.correct].tolist())
    for card in failure_cards(repair.failures[:PRINTED], data):
        (called,) = samples.numbered(torch.tensor([card.failure.index]))
        right = "right (trained on at the end)" if repair.trained_on else "repaired"
        fate = right if card.failure.index in fixed else "still wrong"
        console.print(_line(card, names, called, fate))
    token = names.token
    console.print(
        f"Colours: the class predicted after each {token}; reversed: the responsible {token}; "
        "bold: the rest of its segment. More in report.html.",
        style="dim",
    )


def _line(card: FailureCard, names: Names, called: str, fate: str) -> Text:
    failure = card.failure
    predicted = failure.prediction.tolist()
    colour = class_colours([failure.label, failure.predicted, *predicted])
    label, said = names.of_class(failure.label), names.of_class(failure.predicted)
    line = Text(
        f"{fate} (sample {called}): labelled {label}, predicted {said}\n",
        style="bold",
    )
    first, end = failure.segment
    words = names.of_tokens(card.inputs)
    if not reads_stepwise(card):  # a network that makes fewer steps than it reads
        return line.append(names.separator.join(words), style="not bold")
    for step, word in enumerate(words):
        style = f"not bold underline {colour[predicted[step]].fill}"
        if step == failure.step:
            style += " reverse"
        elif first <= step < end:
            style += " bold"
        line.append(word, style=style)
        line.append(names.separator, style="not bold")
    return line
