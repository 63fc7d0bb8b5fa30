"""Values of a user's items as tensors, and tensors in the form of a user's values."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnnrepair.errors import DataError

# Kinds of numpy types that are numbers: truth values, whole numbers, floats.
NUMBERS = "biuf"
# Larger inputs stand for missing ones, or overflow where they are squared in single precision.
LARGEST = 1e18


def as_tensor(value: Any) -> Tensor | None:
    """Return the numbers of a tensor, an array, a list or a number; None of anything else.

    Raises:
        DataError: some are masked.
    """
    if isinstance(value, Tensor):
        return value.detach()
    if np.ma.is_masked(value):
        n_masked = int(np.ma.getmaskarray(value).sum())
        raise DataError(
            f"{described(value)} has {n_masked} masked values, and what is behind the mask would "
            "be read: fill them (interpolate, or x.filled(0) with a channel more that says where), "
            "or leave these sequences out."
        )
    if isinstance(value, str | bytes | dict) or value is None:
        return None
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # a list of unlike things
        return None
    if array.dtype.kind not in NUMBERS:
        return None
    return torch.as_tensor(array if array.flags.writeable else array.copy())


def are_readable(values: Tensor) -> Tensor:
    """Return where floats are numbers that can be computed with, in bool of the same shape."""
    return values.abs() <= LARGEST


def in_form_of(value: Any, numbers: Tensor) -> Any:
    """Return numbers in the type that a value has; of an array or a tensor in its precision too."""
    if isinstance(value, Tensor):
        return numbers.to(value.dtype)
    if isinstance(value, np.ndarray | np.generic):
        array = numbers.numpy().astype(value.dtype)
        return array if isinstance(value, np.ndarray) else array[()]
    found = as_tensor(value)
    return type(value)((numbers if found is None else numbers.to(found.dtype)).tolist())


def described(value: Any) -> str:
    """Say what a value is, for messages: its type, and its shape or the number itself."""
    if isinstance(value, Tensor | np.ndarray):
        if value.ndim == 0:
            return f"{value.dtype} {value.item()!r}"
        return f"{type(value).__name__} {str(value.dtype).removeprefix('torch.')} {(*value.shape,)}"
    if isinstance(value, list):
        found = as_tensor(value)
        return f"list {tuple(found.shape) if found is not None else f'of {len(value)}'}"
    told = repr(value)
    return told if len(told) <= 40 else f"{type(value).__name__} {told[:37]}..."
