"""What an object was made with, as plain values, which checkpoints can hold and compare."""

import inspect
from collections.abc import Iterator, Mapping
from enum import Enum
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnnrepair.fingerprint import fingerprint_tensors

# Names the class in the description of an object, as in a configuration.
TARGET = "_target_"
# Values that are told by how they are written.
_WRITTEN = (bytes, range, slice, complex, torch.dtype)


def described(value: Any) -> Any:
    """Return a value as plain values: numbers, strings, lists and mappings of those.

    An object is described by its class and by what its constructor takes and it keeps under the
    same name; what it has learnt since is left out. A function is described by its name.

    Example:
        >>> from rnnrepair.edits import SeriesEdits
        >>> described(SeriesEdits(noise=0.3))["noise"]
        0.3
    """
    if isinstance(value, Enum):
        return described(value.value)
    if isinstance(value, Mapping):
        return {str(name): described(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [described(part) for part in value]
    if isinstance(value, set | frozenset):
        return sorted((described(part) for part in value), key=str)
    simple = _simple(value)
    if value is None or simple is not None:
        return simple
    if inspect.isroutine(value) or isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    kind = type(value)
    try:
        taken = [name for name in inspect.signature(kind).parameters if hasattr(value, name)]
    except ValueError:  # what is written in C has no signature
        taken = []
    return {
        TARGET: f"{kind.__module__}.{kind.__qualname__}",
        **{name: described(getattr(value, name)) for name in taken},
    }


def _simple(value: Any) -> Any:
    """Return a value that has no parts as a plain one, None where it is none of these."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"{type(value).__name__} {fingerprint_tensors(torch.as_tensor(value))}"
    return repr(value) if isinstance(value, _WRITTEN) else None


def differences(then: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where two descriptions differ: the path of the value, what it was and what it is.

    Objects of two classes differ as a whole.

    Example:
        >>> list(differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}}))
        [('b.c', 2, 3)]
    """
    if then == now:
        return
    both = isinstance(then, Mapping) and isinstance(now, Mapping)
    if not both or then.get(TARGET) != now.get(TARGET):
        yield path, then, now
        return
    for name in dict.fromkeys([*then, *now]):
        below = f"{path}.{name}" if path else str(name)
        yield from differences(then.get(name), now.get(name), below)


def in_short(value: Any) -> str:
    """Return a description for a message: of an object the name of its class alone.

    Example:
        >>> in_short({"_target_": "rnnrepair.repair.GuidedRepair", "parents": 5}), in_short([1])
        ('GuidedRepair', '[1]')
    """
    if isinstance(value, Mapping) and TARGET in value:
        return str(value[TARGET]).rpartition(".")[2]
    return str(value)
