"""Tensors in whatever a module returns, or a batch holds."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, nn

HOLDERS = (Tensor, Mapping, tuple, list)


def tensors_in(output: Any) -> Iterator[Tensor]:
    """Yield all tensors of tuples, lists, mappings, data classes and other plain objects."""
    if isinstance(output, Tensor):
        yield output
        return
    for value in _parts(output):
        yield from tensors_in(value)


def _parts(output: Any) -> Iterable[Any]:
    if isinstance(output, Mapping):
        return output.values()
    if isinstance(output, tuple | list):
        return output
    if is_dataclass(output):
        return [getattr(output, field.name) for field in fields(output)]
    if isinstance(output, nn.Module | type):
        return ()
    # No objects in objects: a batch may know the data set that it is of.
    return [v for v in getattr(output, "__dict__", {}).values() if isinstance(v, HOLDERS)]
