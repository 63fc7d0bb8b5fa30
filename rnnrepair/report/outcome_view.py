"""What changed between the unrepaired and the final network."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from rnnrepair.network import Predictions
from rnnrepair.protocols import Split
from rnnrepair.repair import Outcome

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
        repaired: failures of the unrepaired network that are right now.
    """

    name: Split
    role: str
    size: int
    outcome: Outcome
    repaired: int

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


def split_views(
    predictions: Mapping[Split, tuple[Predictions, Predictions]], *, repair_trained_on: bool
) -> dict[Split, SplitView]:
    """Compare both networks on every split that was predicted, test first.

    Args:
        predictions: of both, for each split.
        repair_trained_on: whether the final network was trained on the repair split too.
    """
    views: dict[Split, SplitView] = {}
    roles = ROLES | ({"repair": TRAINED_ON} if repair_trained_on else {})
    for name, role in roles.items():
        if name in predictions:
            before, after = predictions[name]
            repaired = int((~before.correct & after.correct).sum())
            outcome = Outcome.of(before, after)
            views[name] = SplitView(name, role, len(before.index), outcome, repaired)
    return views


def confusions(before: Predictions, after: Predictions, top: int = 12) -> list[Confusion]:
    """Return the most frequent confusions of either network, by how frequent they were before."""
    both = [before.label, before.predicted, after.predicted]
    n_classes = 1 + max((int(t.max()) for t in both if len(t)), default=0)
    counts = torch.stack([_pair_counts(p, n_classes) for p in (before, after)])
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
