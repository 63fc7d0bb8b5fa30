"""Which training samples repair samples may be made from."""

import torch
from torch import Tensor


def never_right(label: Tensor, correct: Tensor) -> Tensor:
    """Return the classes of which no sample is classified correctly, ascending.

    Args:
        label: (N,) classes of samples.
        correct: (N,) bool.

    Example:
        >>> never_right(torch.tensor([0, 0, 1, 2]), torch.tensor([True, False, False, False]))
        tensor([1, 2])
    """
    classes = label.unique()
    return classes[~torch.isin(classes, label[correct])]


def usable_parents(label: Tensor, correct: Tensor) -> Tensor:
    """Return (N,) bool: the samples that are right, and all of the classes of which none is.

    What the network gets right shows what it can learn of a class. A class that it never predicts
    has no such samples, and would never be repaired: then all of its samples have to do.
    """
    return correct | torch.isin(label, never_right(label, correct))
