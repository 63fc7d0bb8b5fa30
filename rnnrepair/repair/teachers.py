"""Failures that networks of other seeds fail at too: their label or the task is in doubt."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rnnrepair.atomic import write_file
from rnnrepair.network import Predictions
from rnnrepair.sequences import Names, SampleNames

FILE = "label_or_task.csv"
COLUMNS = ("name", "index", "label", "predicted", "teachers", "agree")


@dataclass(frozen=True, eq=False)
class Teachers:
    """What n networks answer on a split, each trained as the unrepaired one was, but for its seed.

    Attributes:
        index: (N,) int64, ascending.
        label: (N,) int64.
        predicted: (n, N) int64.
    """

    index: Tensor
    label: Tensor
    predicted: Tensor

    @classmethod
    def of(cls, answers: Sequence[Predictions]) -> "Teachers":
        """Put the answers of at least one network together."""
        first = answers[0]
        return cls(first.index, first.label, torch.stack([said.predicted for said in answers]))

    def fail_at(self, index: Tensor) -> Tensor:
        """Return (m,) bool: whether all of them are wrong about each of m samples of the split."""
        wrong = (self.predicted != self.label).all(0)
        return wrong[torch.searchsorted(self.index, index)]


def write_label_or_task(
    teachers: Teachers,
    failures: Predictions,
    names: Names,
    samples: SampleNames,
    folder: Path,
    checked: Tensor,
) -> int:
    """Write ``label_or_task.csv``: the failures that all teachers fail at; return their number.

    Columns: name and index of the sample, its label, what the unrepaired network predicts, what
    most teachers predict, and how many of them do.

    Args:
        teachers: on the split of the failures.
        failures: answers of the unrepaired network on that split.
        names: of the classes.
        samples: names of the samples.
        folder: of the run.
        checked: (k,) int64 samples whose label a person has looked at: these are left out.
    """
    open_ = ~failures.correct & ~torch.isin(failures.index, checked)
    rows = (open_ & teachers.fail_at(failures.index)).nonzero()[:, 0]
    most = teachers.predicted[:, rows].mode(0).values
    agree = (teachers.predicted[:, rows] == most).sum(0)
    classes = torch.stack([failures.label[rows], failures.predicted[rows], most], 1).tolist()
    with write_file(folder / FILE) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name, index, of_row, n in zip(
            samples.of(failures.index[rows]),
            failures.index[rows].tolist(),
            classes,
            agree.tolist(),
            strict=True,
        ):
            writer.writerow([name, index, *(names.of_class(c) for c in of_row), n])
    return len(rows)
