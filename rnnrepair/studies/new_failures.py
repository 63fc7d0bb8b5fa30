"""Failures that another run does not have."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.protocols import Split
from rnnrepair.record import RunRecord, SplitAnswers
from rnnrepair.traces import Traces


def answers_of(
    folder: Path, split: Split, index: Tensor, argument: str = "against"
) -> SplitAnswers:
    """Return what the networks of a finished run have answered on the same split.

    Args:
        folder: of the run.
        split: its name.
        index: (N,) its samples here.
        argument: that names the folder, for messages.

    Raises:
        ConfigurationError: there is no finished run, or its split has other samples.
    """
    if not RunRecord.is_in(folder):
        raise ConfigurationError(
            f"{argument}={folder}: expected the folder of a run that has ended, and it holds no "
            "record/: give one (outputs/<experiment>/<time>), or null to compare with none."
        )
    repair = RunRecord.load(folder).repair
    answers = None if repair is None else repair.answers.get(split)
    if answers is None or not torch.equal(answers.index, index):
        n = 0 if answers is None else len(answers.index)
        raise ConfigurationError(
            f"{argument}={folder}: its {split} split has {n} samples, this one {len(index)}, or "
            "they are other ones: give a run of the same data and split."
        )
    return answers


def check_corrected(folder: Path) -> None:
    """Refuse a run whose network was trained on the labels as they are.

    Raises:
        ConfigurationError: says what it did.
    """
    record = RunRecord.load(folder)
    cleaned = None if record.repair is None else record.repair.effort.cleaned
    if cleaned is None and record.corrections is None:
        raise ConfigurationError(
            f"corrected={folder}: expected a run that corrects labels (the strategy "
            f"clean_from_start, or with corrections), and this one has the strategy "
            f"{record.strategy}."
        )


def right_elsewhere(failures: Traces, answers: SplitAnswers) -> Tensor:
    """Return (M,) bool: the failures that the final network of another run gets right.

    By the labels of that run: they may be other ones where labels were made wrong on purpose.
    """
    row = torch.searchsorted(answers.index, failures.index)
    return answers.after[row] == answers.label[row]


def n_other_labels(traces: Traces, answers: SplitAnswers) -> int:
    """Return how many samples of a split have another label in another run."""
    row = torch.searchsorted(answers.index, traces.index)
    return int((answers.label[row] != traces.label).sum())


def told_new(new: Mapping[str, int], against: Path, n_relabelled: int) -> str:
    """Return how many failures are new, by kind, for people.

    Args:
        new: failures of each kind that the other run gets right.
        against: folder of the other run.
        n_relabelled: samples of the split that have another label there: planted labels, or the
            data are other ones.
    """
    counts = ", ".join(f"{n} {kind}" for kind, n in new.items() if n)
    n_new = sum(new.values())
    told = f"{n_new} of them are right in {against}{': ' if n_new else ''}{counts}."
    if n_relabelled == 0:
        return told
    return (
        f"{told} {n_relabelled} samples of the split have another label there, by which they "
        "were judged: where no labels were made wrong on purpose, that run had other data."
    )
