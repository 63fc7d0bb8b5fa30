"""Whether a network has learnt anything: its answers against one and the same for all."""

import math

from torch import Tensor

from rnnrepair.scores import Monitor, confusion, score


def constant_score(label: Tensor, monitor: Monitor | str) -> float:
    """Return the score of always answering the most frequent class.

    Args:
        label: (N,) int64, N at least 1.
        monitor: see ``Monitor``.

    Example:
        >>> import torch
        >>> constant_score(torch.tensor([0, 0, 0, 1]), "accuracy")
        0.75
    """
    return score(confusion(label, label.mode().values.expand_as(label)), monitor)


def at_chance(label: Tensor, predicted: Tensor, monitor: Monitor | str) -> bool:
    """Return whether answers cannot be told from one and the same for all.

    Their score must exceed that of the most frequent class by more than twice its standard error.

    Args:
        label: (N,) int64, N at least 1.
        predicted: (N,) int64.
        monitor: see ``Monitor``.

    Example:
        >>> import torch
        >>> label = torch.arange(100) % 2
        >>> at_chance(label, 1 - label, "accuracy"), at_chance(label, label, "accuracy")
        (True, False)
    """
    guess = constant_score(label, monitor)
    gain = score(confusion(label, predicted), monitor) - guess
    return gain <= 2 * math.sqrt(guess * (1 - guess) / len(label))
