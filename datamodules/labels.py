"""Labels as people have them, made class numbers, or refused with what to do."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnnrepair.errors import DataError


def class_numbers(label: Any, n_classes: int, source: str) -> Tensor:
    """Return (n,) int64 classes 0 .. C - 1.

    Whole numbers of any type are taken, and a column of them.

    Args:
        label: tensor, array or list.
        n_classes: C.
        source: what messages call the data.

    Raises:
        DataError: anything else; says what to do.
    """
    given = label if isinstance(label, Tensor) else _array(label, source)
    if given.dim() == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.dim() != 1:
        raise DataError(f"{source}: {fault_of_shape(given, n_classes)}")
    if given.is_floating_point() and not bool((given == given.round()).all()):
        raise DataError(
            f"{source}: labels are {given.dtype} and not whole numbers, such as {_odd(given)}: "
            f"expected classes 0 .. {n_classes - 1}. Real-valued targets are not supported; cut "
            "them into classes."
        )
    number = given.long()
    low, high = (int(number.min()), int(number.max())) if len(number) else (0, 0)
    if low >= 0 and high < n_classes:
        return number
    raise DataError(f"{source}: labels must lie in 0 .. {n_classes - 1}, {_out(number, n_classes)}")


def _array(label: Any, source: str) -> Tensor:
    array = np.asarray(label)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{source}: labels are {array.dtype} ({array.flat[0]!r}, ...), expected whole numbers: "
            "number the classes, and give their names as class_names."
        )
    return torch.from_numpy(np.ascontiguousarray(array))


def fault_of_shape(label: Tensor, n_classes: int | None = None) -> str:
    """Return what is wrong with labels that are no column of numbers, and what to do.

    Args:
        label: of two or more dimensions.
        n_classes: C; None where it is not known.
    """
    shape = tuple(label.shape)
    if label.dim() != 2:
        return f"labels have shape {shape}, expected (n,): one class a sequence."
    rows, width = label.double(), shape[1]
    binary = bool(((rows == 0) | (rows == 1)).all())
    if binary and bool((rows.sum(1) == 1).all()):
        classes = "" if n_classes in (None, width) else f" and num_classes={width}"
        return f"labels are one-hot, {shape}: give their numbers, labels.argmax(1){classes}."
    if width == n_classes and binary:
        return (
            f"labels of shape {shape} mark several classes a sequence, which is not supported: "
            "one class a sequence is expected; make a data set for each of them."
        )
    if width == n_classes and bool(((rows >= 0) & (rows <= 1)).all()):
        return (
            f"labels of shape {shape} are shares of classes, which is not supported: give the "
            "number of the largest, labels.argmax(1)."
        )
    return (
        f"labels have shape {shape}, which looks like one label a step, or several a sequence: "
        "that is not supported, one class a sequence is expected, shape (n,)."
    )


def _these(number: int) -> str:
    return "it" if number == 1 else "these"


def _odd(label: Tensor) -> float:
    return float(label[(label != label.round()).nonzero()[0, 0]])  # NaN differs from itself


def _out(label: Tensor, n_classes: int) -> str:
    """Say what is wrong with numbers out of range, and how to map those that people often have."""
    low, high = int(label.min()), int(label.max())
    found = f"found {low} .. {high}"
    if set(label.unique().tolist()) == {-1, 1} and n_classes == 2:
        return f"{found}: they are -1 and 1; give (labels + 1) // 2."
    if low == 1 and high == n_classes:
        return (
            f"{found}: they begin with 1; give labels - 1, or, where the network has an output "
            f"for class 0 too, num_classes={high + 1}."
        )
    if low >= 0:
        beyond = int((label >= n_classes).sum())
        return (
            f"{found}, with {beyond} of {len(label)} above {n_classes - 1}: mend {_these(beyond)}, "
            f"or, if there are so many classes, set num_classes={high + 1}."
        )
    return (
        f"{found}: leave out sequences without a label where {low} stands for that, else number "
        "the classes from 0, torch.unique(labels, return_inverse=True)[1]."
    )
