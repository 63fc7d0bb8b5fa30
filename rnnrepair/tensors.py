"""Tensors in whatever a module returns, or a batch holds."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, nn

HOLDERS = (Tensor, Mapping, tuple, list)


def tensors_in(output: Any) -> Iterator[Tensor]:
    """Yield all tensors of tuples, lists, mappings, data classes and other plain objects."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from tensors_in(value)
    elif isinstance(output, tuple | list):
        for value in output:
            yield from tensors_in(value)
    elif is_dataclass(output):
        for field in fields(output):
            yield from tensors_in(getattr(output, field.name))
    elif hasattr(output, "__dict__") and not isinstance(output, nn.Module | type):
        # No objects in objects: a batch may know the data set that it is of.
        for value in vars(output).values():
            if isinstance(value, HOLDERS):
                yield from tensors_in(value)
