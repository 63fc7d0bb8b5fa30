"""What is told of the failures of a trained network, as a typed result and as a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import Tensor

from rnnrepair.influence import Evidence, LabelDoubt, Role
from rnnrepair.protocols import Split
from rnnrepair.record import Failure, story
from rnnrepair.sequences import DataSpec, Names

# Training samples told of a failure in a line of text.
TOLD = 3


@dataclass(frozen=True, eq=False)
class Explanation:
    """M failures of a trained network, each with its story.

    Attributes:
        spec: of the data.
        network: how it is read.
        split: that the failures are of.
        accuracy: of the network on the whole split.
        n_failures: of the whole split; as many may be told, or fewer.
        failures: M of them, with the training samples that a card shows.
        evidence: of the same failures, all training samples that were looked for, by role.
        doubt: whether labels are suspect.
        place: (M, 2) float32, first two principal components of the last states.
        texts: M texts as words, empty strings where inputs are no tokens.
        right: (n,) int64 indices that were asked for and are no failures.
    """

    spec: DataSpec
    network: str
    split: Split
    accuracy: float
    n_failures: int
    failures: tuple[Failure, ...]
    evidence: Evidence
    doubt: LabelDoubt
    place: Tensor
    texts: tuple[str, ...]
    right: Tensor

    def __len__(self) -> int:
        return len(self.failures)

    def __getitem__(self, row: int) -> Failure:
        return self.failures[row]

    def __iter__(self) -> Iterator[Failure]:
        return iter(self.failures)

    def __str__(self) -> str:
        """Tell every failure in a few lines."""
        head = (
            f"{self.network}\n{self.split}: accuracy {self.accuracy:.4f}, {self.n_failures} "
            f"failures, {len(self)} told"
        )
        if len(self.right):
            head += f"; right, so nothing to tell: {self.right.tolist()}"
        return "\n".join([head, *(self._line(row) for row in range(len(self)))])

    def why_suspect(self, row: int) -> str:
        """Say what speaks against the label of a failure, or those around it; empty for nothing."""
        told = []
        if self.doubt.own[row]:
            odds = float(self.doubt.odds[row])
            told.append(f"its neighbours agree with the prediction, {odds:.0f} to 1")
        if self.doubt.neighbours[row]:
            told.append("most neighbours that speak for the prediction look mislabelled themselves")
        if self.doubt.copied[row]:
            copies = _real(self.doubt.copies[row])
            told.append(f"near copies in training carry another label (samples {copies})")
        return "; ".join(told)

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each failure.

        Columns: index, label, predicted (numbers of classes), label_name, predicted_name, n_steps,
        step (the responsible one, from 0 on), segment_first, segment_end (the step behind it),
        contrast (see ``Evidence``; NaN where there is none), nearest, parents, opponents, contexts
        (lists of training samples, most influential first), label_suspect, why_suspect, odds (see
        ``LabelDoubt``), copies (training samples that are near copies with another label), x, y (a
        place in the plane), text. Lists stay lists in parquet.
        """
        columns = [*_COLUMNS, *_ROLES, *_DOUBT, "x", "y", "text"]
        return pd.DataFrame([self._row(row) for row in range(len(self))], columns=columns)

    def _row(self, row: int) -> dict[str, Any]:
        failure, names, evidence = self.failures[row], Names.of(self.spec), self.evidence
        first, end = failure.segment
        found: dict[str, Any] = {
            "index": failure.index,
            "label": failure.label,
            "predicted": failure.predicted,
            "label_name": names.of_class(failure.label),
            "predicted_name": names.of_class(failure.predicted),
            "n_steps": len(failure.state),
            "step": failure.step,
            "segment_first": first,
            "segment_end": end,
            "contrast": float("nan") if failure.contrast is None else failure.contrast,
        }
        for role in (Role.NEAREST, Role.PARENTS, Role.OPPONENTS):
            samples = getattr(evidence, role)
            found[role.value] = [] if samples is None else _real(samples.index[row])
        found["contexts"] = (
            [] if evidence.contexts is None else _real(evidence.contexts.sample[row])
        )
        x, y = self.place[row].tolist()
        return found | {
            "label_suspect": bool(self.doubt.suspect[row]),
            "why_suspect": self.why_suspect(row),
            "odds": float(self.doubt.odds[row]),
            "copies": _real(self.doubt.copies[row]),
            "x": x,
            "y": y,
            "text": self.texts[row],
        }

    def _line(self, row: int) -> str:
        told = self._row(row)
        line = (
            f"sample {told['index']}: true {told['label_name']}, predicted "
            f"{told['predicted_name']}. {story(self.failures[row], Names.of(self.spec))} Segment "
            f"{told['segment_first'] + 1} .. {told['segment_end']}"
        )
        for role in _ROLES:
            if told[role]:
                line += f"; {role} {', '.join(map(str, told[role][:TOLD]))}"
        return line + (
            f"\n    LABEL SUSPECT: {told['why_suspect']}" if told["label_suspect"] else ""
        )


_COLUMNS = [
    *("index", "label", "predicted", "label_name", "predicted_name", "n_steps", "step"),
    *("segment_first", "segment_end", "contrast"),
]
_ROLES = ["nearest", "parents", "opponents", "contexts"]
_DOUBT = ["label_suspect", "why_suspect", "odds", "copies"]


def _real(index: Tensor) -> list[int]:
    """Leave the places out in which there is no sample."""
    found: list[int] = index[index >= 0].tolist()
    return found
