"""A page that tells what failed, why, and what was repaired."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rnnrepair.atomic import write_file
from rnnrepair.network import Predictions
from rnnrepair.protocols import Split
from rnnrepair.repair import StopReason
from rnnrepair.report import wording
from rnnrepair.report.card_view import card_view
from rnnrepair.report.cards import FailureCard
from rnnrepair.report.curves import charts
from rnnrepair.report.names import Names
from rnnrepair.report.outcome_view import confusions, split_views

CARDS_WEIGHT = 4_000_000
"""Characters that the cards may take; failures beyond are listed without pictures."""

_PHASES = {
    "fit": "training",
    "collect": "collecting hidden states",
    "abstract": "abstraction",
    "influence": "influence",
    "generate": "making and judging samples",
}


def write_report(
    path: Path,
    summary: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    cards: Sequence[FailureCard],
    predictions: Mapping[Split, tuple[Predictions, Predictions]],
    names: Names | None = None,
) -> None:
    """Write a page that needs no other file and no network.

    Args:
        path: of the page; it is replaced in one step.
        summary: what ``summary.json`` holds.
        history: a row for each analysed epoch: ``epoch``, ``val_accuracy``, ``repair_accuracy``,
            ``failures``, ``injected``, ``stability``, ``n_empty``, ``drift``.
        cards: failures on the repair split, with their samples.
        predictions: of the unrepaired and of the final network; at least repair and test.
        names: of classes and tokens; numbers where None.
    """
    names = names or Names()
    views = [card_view(card, predictions["repair"][1], names) for card in cards]
    shown = sum(total <= CARDS_WEIGHT for total in accumulate(view.weight for view in views))
    environment = _environment()
    environment.filters["class_name"] = names.of_class
    page = environment.get_template("report.html.jinja")
    text = page.render(
        summary=summary,
        stop_reason=StopReason(summary["stop_reason"]).message,
        splits=split_views(predictions, repair_trained_on=summary["repair_trained_on"]),
        confusions=confusions(*predictions["test"]),
        phases=_phases(summary["time_s"]),
        charts=charts(history),
        cards=views,
        shown=shown,
    )
    with write_file(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("rnnrepair.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for tell in (wording.percent, wording.points, wording.signed, wording.count, wording.duration):
        environment.filters[tell.__name__] = tell
    return environment


def _phases(time_s: Mapping[str, float]) -> list[tuple[str, float, float]]:
    """Return name, seconds and share in percent of the parts of a run."""
    seconds = {name: float(time_s[key]) for key, name in _PHASES.items()}
    seconds["the rest"] = max(float(time_s["total"]) - sum(seconds.values()), 0.0)
    whole = max(sum(seconds.values()), 1e-9)
    return [(name, value, 100 * value / whole) for name, value in seconds.items()]
