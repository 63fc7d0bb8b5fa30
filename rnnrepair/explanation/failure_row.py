"""A failure as a row of the table, and as the lines that people read."""

from typing import Any

import torch

from rnnrepair.explanation.around import around
from rnnrepair.explanation.findings import Findings, real
from rnnrepair.explanation.indented import indented
from rnnrepair.explanation.label_notes import is_suspect, suspect_told, why_suspect
from rnnrepair.influence import Role
from rnnrepair.record import story

# Training samples told of a failure in a line of text.
TOLD = 3

_ROLES = ["nearest", "parents", "opponents", "contexts"]
COLUMNS = [
    *("index", "name", "label", "predicted", "label_name", "predicted_name", "n_steps", "step"),
    *("segment_first", "segment_last", "contrast"),
    *_ROLES,
    *(f"{role}_names" for role in _ROLES),
    *("pattern", "label_suspect", "why_suspect", "odds", "copies", "copies_names"),
    *("x", "y", "text"),
]


def failure_row(found: Findings, row: int) -> dict[str, Any]:
    """Return what is told of a failure by the ``COLUMNS`` of the table."""
    failure, names, evidence = found.failures[row], found.names, found.evidence
    first, end = failure.segment
    told: dict[str, Any] = {
        "index": failure.index,
        "name": found.sample_names.of(torch.tensor([failure.index]))[0],
        "label": failure.label,
        "predicted": failure.predicted,
        "label_name": names.of_class(failure.label),
        "predicted_name": names.of_class(failure.predicted),
        "n_steps": len(failure.state),
        "step": failure.step + 1,
        "segment_first": first + 1,
        "segment_last": end,
        "contrast": float("nan") if failure.contrast is None else failure.contrast,
    }
    for role in (Role.NEAREST, Role.PARENTS, Role.OPPONENTS):
        samples = getattr(evidence, role)
        told[role.value] = [] if samples is None else real(samples.index[row])
    told["contexts"] = [] if evidence.contexts is None else real(evidence.contexts.sample[row])
    told |= {f"{role}_names": found.called(told[role]) for role in _ROLES}
    x, y = found.place[row].tolist()
    copies = real(found.doubt.copies[row])
    return told | {
        "pattern": "; ".join(found.patterns_of(failure.index)),
        "label_suspect": is_suspect(found, row),
        "why_suspect": why_suspect(found, row),
        "odds": float(found.doubt.odds[row]),
        "copies": copies,
        "copies_names": found.called(copies),
        "x": x,
        "y": y,
        "text": names.separator.join(found.words[row]),
    }


def failure_lines(found: Findings, row: int) -> str:
    """Tell what a failure is and shares, how it came about, and which samples are like it."""
    told = failure_row(found, row)
    what = (
        f"sample {found.numbered([told['index']])[0]}: labelled {told['label_name']}, "
        f"predicted {told['predicted_name']}"
    )
    if told["pattern"]:
        what += f"; shares {told['pattern']}"
    how = story(found.failures[row], found.names)
    segment = f"Segment {told['segment_first']} .. {told['segment_last']}."
    samples = "; ".join(
        f"{role} {', '.join(found.numbered(told[role][:TOLD]))}" for role in _ROLES if told[role]
    )
    text, suspect = _text(found, row), suspect_told(found, row)
    return indented(what, f"{how} {segment}", text, samples, suspect)


def _text(found: Findings, row: int) -> str:
    """Return the words around the responsible segment, empty where inputs are no tokens."""
    separator, words = found.names.separator, found.words[row]
    # Steps of a network that makes fewer than it reads are no words.
    stepwise = len(words) == len(found.failures[row].state)
    segment = found.failures[row].segment
    return around(words, segment, separator) if words and stepwise else separator.join(words)
