"""What changed between the unrepaired and the final network."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from rnnrepair.network import Predictions
from rnnrepair.protocols import Split
from rnnrepair.record import Repair, RunRecord, SplitAnswers
from rnnrepair.repair import Outcome
from rnnrepair.scores import Monitor, unequal_classes
from rnnrepair.sequences import Names

ROLES: dict[Split, str] = {
    "test": "only to be reported: no choice may rest on it",
    "val": "chooses K and when to stop",
    "repair": "supplies the failures: its gain is optimistic",
}
TRAINED_ON = "supplies the failures and is trained on in the end: its gain says nothing"


@dataclass(frozen=True)
class SplitView:
    """One split before and after.

    Attributes:
        name: of the split.
        role: what it is for.
        size: samples.
        outcome: accuracies and failures.
    """

    name: Split
    role: str
    size: int
    outcome: Outcome

    @property
    def repaired(self) -> int:
        """Failures of the unrepaired network that are right now."""
        return self.outcome.repaired

    @property
    def still_wrong(self) -> int:
        """Failures of the unrepaired network that are still wrong."""
        return self.outcome.failures_before - self.repaired

    @property
    def parts(self) -> list[tuple[str, str, int, float]]:
        """Name, CSS class, number and width in percent of the bar's parts."""
        total = max(self.outcome.failures_before + self.outcome.newly_broken, 1)
        named = (
            ("repaired", "repaired", self.repaired),
            ("still wrong", "wrong", self.still_wrong),
            ("newly broken", "broken", self.outcome.newly_broken),
        )
        return [(name, css, n, 100 * n / total) for name, css, n in named]


@dataclass(frozen=True)
class Confusion:
    """How often a class is taken for another, before and after."""

    label: int
    predicted: int
    before: int
    after: int


def split_views(repair: Repair) -> dict[Split, SplitView]:
    """Compare both networks on every split, those that are only reported first."""
    known = [split for split in ROLES if split in repair.answers]
    more = [split for split in repair.answers if split not in ROLES]
    views: dict[Split, SplitView] = {}
    for name in ["test", *more, *(split for split in known if split != "test")]:
        answers = repair.answers[name]
        role = ROLES.get(name, ROLES["test"])
        if name == "repair" and repair.trained_on:
            role = TRAINED_ON
        views[name] = SplitView(name, role, len(answers.index), answers.outcome)
    return views


@dataclass(frozen=True)
class ClassView:
    """How good both networks are on one class of the test split.

    Attributes:
        number: of the class.
        trained: training samples of it, None where that is not known.
        tested: samples of it.
        before: share of those that the unrepaired network gets right.
        after: share of those that the final one does.
    """

    number: int
    trained: int | None
    tested: int
    before: float
    after: float


def class_views(answers: SplitAnswers, sizes: Sequence[int] = ()) -> list[ClassView]:
    """Return the accuracy on each class that a split has, in the order of their numbers.

    Args:
        answers: on the split.
        sizes: training samples of each class, none where that is not known.
    """
    views = []
    for number in answers.label.unique().tolist():
        chosen = answers.label == number
        before, after = (
            p.correct[chosen].double().mean().item() for p in (answers.unrepaired, answers.final)
        )
        trained = sizes[number] if number < len(sizes) else None
        views.append(ClassView(number, trained, int(chosen.sum()), before, after))
    return views


def confusions(answers: SplitAnswers, top: int = 12) -> list[Confusion]:
    """Return the most frequent confusions of either network, by how frequent they were before."""
    n_classes = 1 + max(int(t.max()) for name, t in answers.tensors().items() if name != "index")
    counts = torch.stack([_pair_counts(p, n_classes) for p in (answers.unrepaired, answers.final)])
    frequent = counts.amax(0).argsort(descending=True, stable=True)[:top].tolist()
    found = [
        Confusion(pair // n_classes, pair % n_classes, *counts[:, pair].tolist())
        for pair in frequent
        if counts[:, pair].any()
    ]
    return sorted(found, key=lambda c: (-c.before, -c.after, c.label, c.predicted))


def _pair_counts(predictions: Predictions, n_classes: int) -> torch.Tensor:
    """Return (C * C,) int64 failures by ``label * C + predicted``."""
    wrong = ~predictions.correct
    pair = predictions.label[wrong] * n_classes + predictions.predicted[wrong]
    return pair.bincount(minlength=n_classes**2)


def unequal_hint(record: RunRecord, names: Names) -> str | None:
    """Return a hint where classes are unequal and accuracy has chosen, None elsewhere."""
    if record.monitor != Monitor.ACCURACY:
        return None
    called = [names.of_class(number) for number in range(len(record.class_sizes))]
    return unequal_classes(record.class_sizes, called)
