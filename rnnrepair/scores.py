"""What decides how good predictions are: one number, from how often what is taken for what."""

from collections.abc import Sequence
from enum import StrEnum

from torch import Tensor

# From so many times the smallest class on, accuracy hardly sees it.
UNEQUAL = 5


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


def fell(before: float, after: float, n: int) -> bool:
    """Return whether a score of n samples fell by more than twice its standard error before.

    One sample more on either side keeps a perfect score from having no error.

    Example:
        >>> fell(0.9, 0.85, 100), fell(0.9, 0.85, 1000), fell(1.0, 0.99, 100)
        (False, True, False)
    """
    share = (before * n + 1) / (n + 2)
    return before - after > 2 * (share * (1 - share) / n) ** 0.5


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
