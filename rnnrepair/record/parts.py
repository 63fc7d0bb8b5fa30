"""What the record of a run is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from rnnrepair.influence import SharedValue
from rnnrepair.protocols import Split
from rnnrepair.record.answers import SplitAnswers
from rnnrepair.record.failure import Failure
from rnnrepair.record.found_pattern import FoundPattern
from rnnrepair.record.interpolation import Interpolation
from rnnrepair.record.suspects import Suspect
from rnnrepair.repair import StopReason


@dataclass(frozen=True)
class Contrast:
    """A difference between two arms: ``of`` minus ``against``."""

    of: str
    against: str
    metric: str

    def __str__(self) -> str:
        return f"{self.of}-{self.against}:{self.metric}"


@dataclass(frozen=True)
class AnalysedEpoch:
    """What was found after some completed epochs.

    Attributes:
        epoch: completed epochs.
        val_accuracy: on the val split.
        repair_accuracy: on the repair split.
        failures: on the repair split, those that are targets.
        injected: samples injected so far, those of this round included.
        n_components: abstract states.
        stability: mean of the abstract states.
        n_empty: states that no step is in.
        drift: share of the steps that changed state since the last analysed epoch, None in the
            first one.
    """

    epoch: int
    val_accuracy: float
    repair_accuracy: float
    failures: int
    injected: int
    n_components: int
    stability: float
    n_empty: int
    drift: float | None


@dataclass(frozen=True)
class Cleaned:
    """What a strategy that cleans has done with samples that were there.

    Attributes:
        removed: samples that are trained on no more.
        relabelled: samples with another label.
        reweighted: samples that are drawn less often.
        taken_back: changes, injected samples included, that were undone because val fell.
        withheld: failures of the unrepaired network that got no samples, because labels at them
            are suspect.
        estimated_wrong: share of the training labels that was wrong at most before the first was
            mended, by estimate; None where there is none.
    """

    removed: int
    relabelled: int
    reweighted: int
    taken_back: int
    withheld: int
    estimated_wrong: float | None = None


@dataclass(frozen=True)
class Effort:
    """What a repair has cost.

    Attributes:
        injected: samples.
        without_context: of those, whose parents have nothing in common with their failures.
        steps: optimizer steps of the network that is reported.
        budget: samples per failure of the unrepaired network and round.
        judged: candidates that the network was asked about.
        rounds: made.
        stop_reason: why no more were made.
        cleaned: what was mended, None for strategies that do not clean.
        teachers: networks of other seeds that were asked about the failures, None for nobody.
        label_or_task: failures of the unrepaired network that all of them fail at.
    """

    injected: int
    without_context: int
    steps: int
    budget: int
    judged: int
    rounds: int
    stop_reason: StopReason
    cleaned: Cleaned | None = None
    teachers: int | None = None
    label_or_task: int | None = None


@dataclass(frozen=True)
class Seconds:
    """Where the time went.

    Attributes:
        fit: training batches.
        collect: reading hidden states.
        abstract: grouping them.
        influence: ranking training samples.
        generate: making and judging repair samples.
        total: everything, sittings before a resume included.
        epoch: mean of a plain training epoch, None where epochs were not timed.
    """

    fit: float
    collect: float
    abstract: float
    influence: float
    generate: float
    total: float
    epoch: float | None


@dataclass(frozen=True, eq=False)
class Repair:
    """A repair: the network before it, after it, and the way in between.

    Attributes:
        trained_on: whether the final network was trained on the repair split too; then its
            accuracy there says nothing.
        history: one for each analysed epoch, at least one.
        answers: by split; repair, val and test, and further test splits of the data.
        targets: (n,) int64 indices of the failures that the first round looked at.
        failures: the first of those, with the samples that belong to them.
        effort: what it has cost.
        seconds: where the time went.
        epochs: completed epochs of the final network, None in records of earlier versions.
        suspects: samples whose label is suspect, the first of them.
        n_suspects: how many there are.
        shared: values of the user's columns that training samples share whose label is doubted.
        n_far: training samples that would be suspect if they were not far from all others.
        patterns: what its failures were found to have in common.
        interpolation: the way from the unrepaired to the final network, None where nobody asked.
    """

    trained_on: bool
    history: tuple[AnalysedEpoch, ...]
    answers: Mapping[Split, SplitAnswers]
    targets: Tensor
    failures: tuple[Failure, ...]
    effort: Effort
    seconds: Seconds
    epochs: int | None = None
    suspects: tuple[Suspect, ...] = ()
    n_suspects: int = 0
    shared: tuple[SharedValue, ...] = ()
    n_far: int = 0
    patterns: tuple[FoundPattern, ...] = ()
    interpolation: Interpolation | None = None

    def tensors(self) -> dict[str, Tensor]:
        """Return its tensors by name; the steps of failures stand one behind the other."""
        failures, nothing = self.failures, torch.empty(0, dtype=torch.int64)
        found = {
            "targets": self.targets,
            "failures/length": torch.tensor([len(f.state) for f in failures], dtype=torch.int64),
            "failures/state": torch.cat([nothing, *(f.state for f in failures)]),
            "failures/prediction": torch.cat([nothing, *(f.prediction for f in failures)]),
        }
        for split, answers in self.answers.items():
            found |= {f"answers/{split}/{name}": t for name, t in answers.tensors().items()}
        return found if self.interpolation is None else found | self.interpolation.tensors()

    @classmethod
    def of_plain(cls, told: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "Repair":
        """Return the repair that was told as JSON, with its tensors."""
        answers = {split: _answers(split, tensors) for split in told["answers"]}
        way = told.get("interpolation")
        changed = {
            "history": tuple(AnalysedEpoch(**epoch) for epoch in told["history"]),
            "answers": answers,
            "targets": tensors["targets"],
            "failures": _failures(told["failures"], tensors),
            "effort": _effort(told["effort"]),
            "suspects": tuple(Suspect.of_plain(suspect) for suspect in told.get("suspects", ())),
            "shared": tuple(SharedValue.of_plain(value) for value in told.get("shared", ())),
            "patterns": tuple(FoundPattern.of_plain(found) for found in told.get("patterns", ())),
            "seconds": Seconds(**told["seconds"]),
            "interpolation": (
                None if way is None else Interpolation.of_plain(way, tensors, answers)
            ),
        }
        return cls(**{**told, **changed})


def _effort(told: Mapping[str, Any]) -> Effort:
    cleaned = told.get("cleaned")
    changed = {
        "stop_reason": StopReason(told["stop_reason"]),
        "cleaned": None if cleaned is None else Cleaned(**cleaned),
    }
    return Effort(**{**told, **changed})


def _answers(split: Split, tensors: Mapping[str, Tensor]) -> SplitAnswers:
    # The group is told where it says anything; older records have none.
    of_split = {field.name: f"answers/{split}/{field.name}" for field in fields(SplitAnswers)}
    return SplitAnswers(
        **{n: tensors[key] for n, key in of_split.items() if n != "group" or key in tensors}
    )


def _failures(
    told: Sequence[Mapping[str, Any]], tensors: Mapping[str, Tensor]
) -> tuple[Failure, ...]:
    lengths = tensors["failures/length"].tolist()
    states, predictions = (
        tensors[f"failures/{name}"].split(lengths) for name in ("state", "prediction")
    )
    return tuple(
        Failure.of_plain({**failure, "state": state, "prediction": prediction})
        for failure, state, prediction in zip(told, states, predictions, strict=True)
    )


@dataclass(frozen=True)
class TargetLook:
    """What a network that is trained with added samples says after some completed epochs.

    Attributes:
        epoch: completed epochs.
        targets_right: repair targets that it gets right.
        test_accuracy: on the test split.
    """

    epoch: int
    targets_right: int
    test_accuracy: float
