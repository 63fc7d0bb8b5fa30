"""A page that tells what failed, why, and what was repaired: always the whole of it."""

from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rnnrepair.atomic import write_file
from rnnrepair.explanation import Explanation
from rnnrepair.protocols import names_of_samples
from rnnrepair.record import FoundPattern, Repair, RunRecord, Seconds, summary_of
from rnnrepair.report import wording
from rnnrepair.report.card_view import CardView, card_view
from rnnrepair.report.cards import ShownData, failure_cards
from rnnrepair.report.curves import REPAIR_PANELS, TARGET_PANELS, charts, repair_rows
from rnnrepair.report.interpolation_figure import interpolation_figure
from rnnrepair.report.outcome_view import class_views, confusions, split_views, unequal_hint
from rnnrepair.report.pattern_view import pattern_views
from rnnrepair.report.studies import StudyView, read_studies, study_view
from rnnrepair.report.suspect_view import suspect_views
from rnnrepair.sequences import Names

CARDS_WEIGHT = 4_000_000
"""Characters that the cards may take; failures beyond are listed without pictures."""

_PHASES = {
    "fit": "training",
    "collect": "collecting hidden states",
    "abstract": "abstraction",
    "influence": "influence",
    "generate": "making and judging samples",
}


def write_page(run_folder: Path, data: ShownData | None) -> Path | None:
    """Write ``report.html`` from the record and the studies in the folder of a run.

    The page needs no other file and no network. A run without a record (training alone) has a page
    of its studies, and none where there are none either.

    Args:
        run_folder: of the run.
        data: of the run, injected samples included; None where they are not at hand: the page then
            shows no sequences.

    Returns:
        The page, None where there is nothing to show.

    Raises:
        IncompatibleCheckpointError: record or a study are of another version, or damaged.
    """
    studies = [study_view(study) for study in read_studies(run_folder)]
    if RunRecord.is_in(run_folder):
        text = render(RunRecord.load(run_folder), data, studies)
    elif studies:
        text = _page("studies", Names(), title=run_folder.name, studies=studies)
    else:
        return None
    page = run_folder / "report.html"
    with write_file(page) as draft:
        draft.write_text(text, encoding="utf-8")
    return page


def render(record: RunRecord, data: ShownData | None, studies: Sequence[StudyView] = ()) -> str:
    """Return the page of a run.

    Args:
        record: of the run.
        data: where its sequences, and the names of classes and tokens, come from; see
            ``write_page``.
        studies: of its network.
    """
    names = Names(record.class_names) if data is None else Names.of(data.spec)
    summary = summary_of(record)
    if record.repair is None:
        shown = charts(TARGET_PANELS, record.looks)
        return _page("targets", names, summary=summary, charts=shown, studies=studies)
    told = _of_repair(record, record.repair, data, names)
    return _page("repair", names, summary=summary, studies=studies, **told)


def _of_repair(
    record: RunRecord, repair: Repair, data: ShownData | None, names: Names
) -> dict[str, Any]:
    return {
        "stop_reason": repair.effort.stop_reason.message,
        "splits": split_views(repair),
        "confusions": confusions(repair.answers["test"]),
        "classes": class_views(repair.answers["test"], record.class_sizes),
        "monitor": record.monitor,
        "unequal": unequal_hint(record, names),
        "phases": _phases(repair.seconds),
        "charts": charts(REPAIR_PANELS, repair_rows(repair)),
        "ends_final": repair.epochs is not None,
        "way": repair.interpolation,
        "way_figure": repair.interpolation and interpolation_figure(repair.interpolation),
        "n_suspects": repair.n_suspects,
        "shared": repair.shared,
        "n_far": repair.n_far,
        "cleaned": repair.effort.cleaned,
        "shows_sequences": data is not None,
        **({} if data is None else _sequences(repair, data, names)),
    }


def _sequences(repair: Repair, data: ShownData, names: Names) -> dict[str, Any]:
    """Return what the page shows of single samples."""
    after, samples = repair.answers["repair"].final, names_of_samples(data)
    cards = [
        card_view(card, names, samples, after, trained_on=repair.trained_on)
        for card in failure_cards(repair.failures, data)
    ]
    return {
        "cards": cards,
        "patterns": pattern_views(repair.patterns, data, names, samples),
        "suspects": suspect_views(repair.suspects, data, names, samples),
        "named": samples.told,
        "shown": _shown(cards),
    }


def write_explanation(
    explanation: Explanation, data: ShownData, path: Path | str, network: str = ""
) -> Path:
    """Write the page of what is told of the failures of a trained network; return its path.

    Args:
        explanation: see ``rnnrepair.explain``.
        data: that it is of.
        path: of the page.
        network: which one is explained, for the reader; empty for nothing.
    """
    names = Names.of(data.spec)
    cards = [
        card_view(
            card,
            names,
            explanation.sample_names,
            doubt=explanation.suspect_told(row),
            suspect=explanation.is_suspect(row),
        )
        for row, card in enumerate(failure_cards(explanation.failures, data))
    ]
    shown = [suspect for suspect in explanation.suspects if suspect.neighbours]
    found = [FoundPattern.of(pattern, {}, {}, 0) for pattern in explanation.patterns or ()]
    text = _page(
        "explanation",
        names,
        told=explanation,
        network=network,
        patterns=pattern_views(found, data, names, explanation.sample_names),
        training=suspect_views(shown, data, names, explanation.sample_names),
        cards=cards,
        suspects=[card for card in cards if card.suspect],
        shown=_shown(cards),
        studies=(),
    )
    page = Path(path)
    with write_file(page) as draft:
        draft.write_text(text, encoding="utf-8")
    return page


def _shown(cards: Sequence[CardView]) -> int:
    """Return how many cards the page has room for."""
    return sum(total <= CARDS_WEIGHT for total in accumulate(card.weight for card in cards))


def _page(template: str, names: Names, **told: Any) -> str:
    page = _templates().get_template(f"{template}.html.jinja")
    return page.render(told | {"class_name": names.of_class})


@cache  # to read the templates takes longer than to fill them in
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("rnnrepair.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for tell in (
        *(wording.percent, wording.points, wording.signed),
        *(wording.count, wording.duration, wording.number),
    ):
        environment.filters[tell.__name__] = tell
    return environment


def _phases(seconds: Seconds) -> list[tuple[str, float, float]]:
    """Return name, seconds and share in percent of the parts of a run."""
    parts = {name: float(getattr(seconds, key)) for key, name in _PHASES.items()}
    parts["the rest"] = max(seconds.total - sum(parts.values()), 0.0)
    whole = max(sum(parts.values()), 1e-9)
    return [(name, value, 100 * value / whole) for name, value in parts.items()]
