"""What decides how good predictions are: one number, from how often what is taken for what."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

# From so many times the smallest class on, accuracy hardly sees it.
UNEQUAL = 5
# Standard errors by which one score is surely below another.
SURELY = 3


class Monitor(StrEnum):
    """What decides on val: when a repair stops, which checkpoint is best, which job is."""

    # Share of right predictions.
    ACCURACY = "accuracy"
    # Mean of the accuracies of the classes.
    BALANCED_ACCURACY = "balanced_accuracy"
    # Mean of the F1 scores of the classes.
    MACRO_F1 = "macro_f1"


def confusion(label: Tensor, predicted: Tensor) -> Tensor:
    """Return (C, C) int64: how often the class of the row is taken for that of the column.

    Args:
        label: (N,) classes, N at least 1.
        predicted: (N,) classes.
    """
    n_classes = 1 + int(max(label.max(), predicted.max()))
    pair = label.long() * n_classes + predicted.long()
    return pair.bincount(minlength=n_classes**2).view(n_classes, n_classes)


def score(confused: Tensor, monitor: Monitor | str) -> float:
    """Return the score of a (C, C) confusion; larger is better.

    Classes that occur nowhere do not count, nor those that have no sample in the mean of accuracies
    (as in scikit-learn).
    """
    counts = confused.cpu().double()
    right, of_label, predicted = counts.diag(), counts.sum(1), counts.sum(0)
    if Monitor(monitor) == Monitor.ACCURACY:
        return float(right.sum() / counts.sum())
    if Monitor(monitor) == Monitor.BALANCED_ACCURACY:
        there = of_label > 0
        return float((right[there] / of_label[there]).mean())
    there = of_label + predicted > 0
    return float((2 * right[there] / (of_label + predicted)[there]).mean())


@dataclass(frozen=True)
class Scored:
    """A score, and how far it might be from that of all samples of the kind.

    Attributes:
        value: the score.
        error: its standard error.
    """

    value: float
    error: float

    @classmethod
    def share(cls, hits: int, n: int) -> "Scored":
        """Return a share of n samples, at least 1; a hit and a miss more keep it from certainty.

        Example:
            >>> found = Scored.share(90, 100)
            >>> found.value, round(found.error, 3)
            (0.9, 0.031)
        """
        share = (hits + 1) / (n + 2)
        return cls(hits / n, (share * (1 - share) / n) ** 0.5)

    @classmethod
    def of(cls, confused: Tensor, monitor: Monitor | str) -> "Scored":
        """Return the score of a (C, C) confusion.

        The error of other scores than accuracy is that of samples drawn anew within each class, to
        first order: a class of few samples counts as much in them as any other, so that chance
        moves them more.
        """
        counts, n = confused.cpu().double(), int(confused.sum())
        if Monitor(monitor) == Monitor.ACCURACY:
            return cls.share(int(confused.diag().sum()), n)
        of_label = counts.sum(1, keepdim=True)
        # Here too: a hit and a miss more of each class that has samples.
        there = (of_label > 0).double()
        misses = max(len(counts) - 1, 1)
        more = counts + there * (torch.eye(len(counts)) + (1 - torch.eye(len(counts))) / misses)
        likely = more / more.sum(1, keepdim=True).clamp_min(1)
        gain = _gains(more, monitor)
        spread = (likely * (gain - (likely * gain).sum(1, keepdim=True)) ** 2).sum(1)
        return cls(score(confused, monitor), float((of_label[:, 0] * spread).sum() ** 0.5))

    def fell_to(self, after: "Scored") -> bool:
        """Return whether a later score is lower by more than twice the error of this one.

        Example:
            >>> Scored.share(90, 100).fell_to(Scored.share(85, 100))
            False
            >>> Scored.share(900, 1000).fell_to(Scored.share(850, 1000))
            True
        """
        return self.value - after.value > 2 * self.error

    def is_surely_below(self, other: "Scored", least: float = 0.0) -> bool:
        """Return whether this is lower than a score of other samples, by three standard errors.

        Args:
            other: that it is compared with.
            least: by which it is lower at least.

        Example:
            >>> Scored.share(64, 100).is_surely_below(Scored.share(100, 100), 0.1)
            True
            >>> Scored.share(7, 10).is_surely_below(Scored.share(10, 10), 0.1)
            False
        """
        gap = other.value - self.value
        return gap > max(least, SURELY * math.hypot(self.error, other.error))


def _gains(counts: Tensor, monitor: Monitor | str) -> Tensor:
    """Return (C, C): by how much one sample more in a cell raises a mean over the classes."""
    of_label, right = counts.sum(1), counts.diag()
    if Monitor(monitor) == Monitor.BALANCED_ACCURACY:
        there = of_label > 0
        gain = right.new_zeros(counts.shape)
        gain.diagonal().copy_(1 / of_label.clamp_min(1))
        return gain / there.sum()
    both = of_label + counts.sum(0)
    share = 1 / both.clamp_min(1)
    lost = 2 * right * share**2
    gain = -lost[:, None] - lost
    gain.diagonal().add_(2 * share)
    return gain / (both > 0).sum()


def unequal_classes(sizes: Sequence[int], names: Sequence[str]) -> str | None:
    """Return a hint where the largest class has five times the samples of the smallest, else None.

    Args:
        sizes: training samples of each class; those without any do not count.
        names: of the classes.

    Example:
        >>> unequal_classes([500, 90, 0], ["a", "b", "c"])[:46]
        'Class a has 500 training samples, class b only'
    """
    there = [(size, name) for size, name in zip(sizes, names, strict=True) if size]
    if not there or max(there)[0] < UNEQUAL * min(there)[0]:
        return None
    (most, largest), (least, smallest) = max(there), min(there)
    return (
        f"Class {largest} has {most} training samples, class {smallest} only {least}: accuracy "
        f"hardly sees it. Choose by monitor={Monitor.BALANCED_ACCURACY} or "
        f"monitor={Monitor.MACRO_F1}, and look at the accuracy of each class."
    )
