"""Samples whose label may be wrong: what the record tells of them, and a table to fill in."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rnnrepair.atomic import write_file
from rnnrepair.influence import Evidence, LabelDoubt, Role, Suspicion, TrainingView, look_alikes
from rnnrepair.protocols import Split
from rnnrepair.record.failure import Neighbour
from rnnrepair.sequences import Names, SampleNames, table_columns

SUSPECTS = "suspects.csv"
# Neighbours told of a suspect, at most.
SHOWN = 8


@dataclass(frozen=True)
class Suspect:
    """A sample whose label is suspect, as the unrepaired network saw it.

    Attributes:
        index: of the sample.
        split: fit, or repair for a failure whose own label is suspect.
        explained: whether a value of a column may be why, so that it is not called suspect.
        label: that it carries.
        suggested: that the evidence speaks for.
        score: how suspicious it is, in [0, 1].
        neighbours: nearest training samples; none for most suspects.
        margins: of its label in every epoch, None of those that have not shown it; none for most.
    """

    index: int
    split: Split
    label: int
    suggested: int
    score: float
    neighbours: tuple[Neighbour, ...] = ()
    margins: tuple[float | None, ...] = ()
    explained: bool = False

    def plain(self) -> dict[str, Any]:
        """Return numbers and strings, for a checkpoint."""
        return asdict(self) | {"neighbours": [n.plain() for n in self.neighbours]}

    @classmethod
    def of_plain(cls, told: Mapping[str, Any]) -> "Suspect":
        """Return the suspect that was told as plain values."""
        near = tuple(map(Neighbour.of_plain, told["neighbours"]))
        return cls(**{**told, "neighbours": near, "margins": tuple(told.get("margins", ()))})


def gather_suspects(
    suspicion: Suspicion, view: TrainingView, evidence: Evidence | None, doubt: LabelDoubt | None
) -> list[Suspect]:
    """Return training samples and failures whose label is suspect, each most suspicious first.

    Behind them stand the training samples whose doubt a value of a column explains.

    Args:
        suspicion: of the training samples.
        view: of them.
        evidence: of the failures, None where there are none.
        doubt: of their labels.
    """
    rows = suspicion.suspect.nonzero()[:, 0]
    rows = rows[suspicion.score[rows].argsort(descending=True, stable=True)]
    columns = (suspicion.index, view.traces.label, suspicion.suggested, suspicion.score)
    found = [
        Suspect(index, "fit", label, suggested, score)
        for index, label, suggested, score in zip(*(c[rows].tolist() for c in columns), strict=True)
    ]
    rows = suspicion.explained.nonzero()[:, 0]
    explained = [
        Suspect(index, "fit", label, suggested, score, explained=True)
        for index, label, suggested, score in zip(*(c[rows].tolist() for c in columns), strict=True)
    ]
    if evidence is None or doubt is None:
        return found + explained
    failures, score = evidence.failures, doubt.score
    rows = doubt.own.nonzero()[:, 0]
    rows = rows[score[rows].argsort(descending=True, stable=True)]
    columns = (failures.index, failures.label, failures.final_prediction.long(), score)
    found += [
        Suspect(index, "repair", label, suggested, s)
        for index, label, suggested, s in zip(*(c[rows].tolist() for c in columns), strict=True)
    ]
    return found + explained


def with_evidence(
    suspects: Sequence[Suspect], view: TrainingView, at_most: int, seed: int = 0
) -> list[Suspect]:
    """Return the suspects, the first training samples among them with what speaks against them.

    That is their nearest neighbours, and their margins where training was recorded.
    """
    shown = [s for s in suspects if s.split == "fit" and not s.explained][:at_most]
    if not shown:
        return list(suspects)
    traces = view.traces.between(0, view.n_original)
    index = torch.tensor([suspect.index for suspect in shown])
    near = look_alikes(view, torch.searchsorted(traces.index, index), SHOWN, seed)
    told = {}
    for suspect, row, far in zip(shown, near.row, near.distance, strict=True):
        found = row >= 0
        samples = (traces.index, traces.label)
        told[suspect.index] = tuple(
            Neighbour(i, label, Role.NEAREST, distance=d)
            for i, label, d in zip(
                *(c[row[found]].tolist() for c in samples), far[found].tolist(), strict=True
            )
        )
    curves: dict[int, tuple[float | None, ...]] = {}
    if view.dynamics is not None:
        margins = view.dynamics.margins[index].float()
        for suspect, own in zip(shown, margins.tolist(), strict=True):
            curves[suspect.index] = tuple(None if math.isnan(m) else m for m in own)
    return [
        replace(s, neighbours=told.get(s.index, ()), margins=curves.get(s.index, ()))
        for s in suspects
    ]


def suspect_columns(
    suspects: Sequence[Suspect], names: Names, samples: SampleNames
) -> dict[str, list[Any]]:
    """Return the file of corrections by columns, with an empty ``action`` to be filled in.

    Columns of the user's data stand behind its own, as ``column_NAME``.
    """
    index = torch.tensor([s.index for s in suspects], dtype=torch.int64)
    return {
        "name": samples.of(index),
        "index": index.tolist(),
        "split": [s.split for s in suspects],
        "label": [names.of_class(s.label) for s in suspects],
        "suggested": [names.of_class(s.suggested) for s in suspects],
        # The column before it may be filled in: this says what the table was written of.
        "label_was": [names.of_class(s.label) for s in suspects],
        "score": [f"{s.score:.4f}" for s in suspects],
        "explained": ["by a column" if s.explained else "" for s in suspects],
        "action": [""] * len(suspects),
        **table_columns(samples, index),
    }


def write_suspects(
    suspects: Sequence[Suspect], names: Names, samples: SampleNames, path: Path
) -> bool:
    """Write the columns of the suspects as csv; return whether that was done.

    A file that a person has filled in stays as it is.
    """
    if path.is_file() and _is_filled_in(path):
        return False
    columns = suspect_columns(suspects, names, samples)
    with write_file(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return True


def _is_filled_in(path: Path) -> bool:
    """Return whether a table has actions, or none of the columns that were written."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        # A spreadsheet may have put other separators between the columns.
        return any((row.get("action", "?") or "").strip() for row in csv.DictReader(file))
