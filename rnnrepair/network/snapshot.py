"""Leaves a module as it was, whatever its own code keeps in it while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

# What every module has; modes are the business of who evaluates.
INTERNAL = frozenset(nn.Module().__dict__)
# Containers with more entries are vocabularies and the like: their entries are not looked into.
LARGE = 100
# Tensors with more numbers cost as much as parameters to keep: pretrained vectors, data.
MANY = 100_000
NOTHING = object()

Table = dict[str, Any]


class Snapshot:
    """Parameters, buffers and attributes of a module and its parts at one moment.

    Of attributes of any kind the references are kept, of tensors, lists and dictionaries the
    contents too.
    """

    def __init__(self, module: nn.Module, *, numbers: bool = True) -> None:
        """Keep what there is.

        Args:
            module: that is going to be called.
            numbers: whether the numbers in parameters and large tensors are kept, which costs their
                memory; else references to them.
        """
        own = [p for p in module.parameters() if not is_lazy(p)]
        self._flags = [(p, p.requires_grad) for p in own]
        self._versions = [(p, p._version) for p in own]
        self._numbers = numbers
        self._tensors: dict[int, tuple[Tensor, Tensor]] = {}
        self._containers: dict[int, tuple[Any, Any]] = {}
        self._tables = [(live, _own(live)) for part in module.modules() for live in _tables(part)]
        for _, kept in self._tables:
            self._keep(kept.values())

    def restore(self) -> None:
        """Put everything back, bit for bit; what was not there before goes."""
        for live, kept in self._tables:
            for name in _own(live).keys() - kept.keys():
                del live[name]
            _update(live, kept)
        for container, entries in self._containers.values():
            container.clear()
            _update(container, entries)
        with torch.no_grad():
            for tensor, values in self._tensors.values():
                if tensor.shape != values.shape:
                    tensor.data = values
                elif not torch.equal(tensor, values):
                    tensor.copy_(values)
        for parameter, flag in self._flags:
            parameter.requires_grad_(flag)

    @property
    def changed(self) -> list[str]:
        """Names of the attributes, buffers and parameters that are another now."""
        found: set[str] = set()
        for live, kept in self._tables:
            now = _own(live)
            found |= {n for n in now.keys() | kept.keys() if _reference(now, n, kept)}
            found |= {n for n, value in kept.items() if self._differs(value)}
        return sorted(found)

    @property
    def wrote_numbers(self) -> bool:
        """Whether a parameter or large tensor was written to, even if with the same numbers."""
        large = [tensor for tensor, _ in self._tensors.values() if _is_large(tensor)]
        touched = any(p._version != version for p, version in self._versions)
        return touched or any(self._differs(tensor) for tensor in large)

    def _keep(self, values: Any) -> None:
        for value in values:
            if isinstance(value, Tensor):
                if not is_lazy(value) and (self._numbers or not _is_large(value)):
                    self._tensors.setdefault(id(value), (value, value.detach().clone()))
            elif type(value) in {list, dict} and id(value) not in self._containers:
                self._containers[id(value)] = (value, value.copy())
                self._keep_few(value.values() if isinstance(value, dict) else value)
            elif isinstance(value, tuple):
                self._keep_few(value)

    def _keep_few(self, values: Any) -> None:
        if len(values) <= LARGE:
            self._keep(values)

    def _differs(self, value: Any) -> bool:
        tensor, values = self._tensors.get(id(value), (None, None))
        return tensor is not None and values is not None and not torch.equal(tensor, values)


@contextmanager
def unchanged(module: nn.Module, *, numbers: bool = True) -> Iterator[Snapshot]:
    """Leave a module as it was when the block ends; see ``Snapshot``."""
    before = Snapshot(module, numbers=numbers)
    try:
        yield before
    finally:
        before.restore()


def _is_large(tensor: Tensor) -> bool:
    return isinstance(tensor, nn.Parameter) or tensor.numel() > MANY


def _tables(part: nn.Module) -> list[Table]:
    if any(is_lazy(p) for p in part._parameters.values() if p is not None):
        return []  # its first call makes another module of it
    if isinstance(part, torch.jit.ScriptModule):  # its attributes are not Python's
        return [dict(part.named_parameters(recurse=False)), dict(part.named_buffers(recurse=False))]
    return [part.__dict__, part._parameters, part._buffers]


def _own(table: Table) -> Table:
    return {name: value for name, value in table.items() if name not in INTERNAL}


def _update(container: Any, entries: Any) -> None:
    container.extend(entries) if isinstance(container, list) else container.update(entries)


def _reference(now: Table, name: str, kept: Table) -> bool:
    return now.get(name, NOTHING) is not kept.get(name, NOTHING)
