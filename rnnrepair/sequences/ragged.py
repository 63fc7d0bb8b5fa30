"""N sequences of any length, one behind the other: the one layout of all that has steps."""

import dataclasses
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
from torch import Tensor


def smallest_int(n_values: int) -> torch.dtype:
    """Return the smallest integer type that holds 0 .. n_values - 1.

    Example:
        >>> smallest_int(43), smallest_int(1000)
        (torch.uint8, torch.int16)
    """
    if n_values <= 256:
        return torch.uint8
    return torch.int16 if n_values <= 2**15 else torch.int32


def offsets_of(lengths: Tensor) -> Tensor:
    """Return the (N + 1,) int64 offsets of sequences with these (N,) lengths."""
    return torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])


def steps_of(offsets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (s,) positions of the steps of some sequences, and their own (n + 1,) offsets.

    Args:
        offsets: (N + 1,) of all sequences.
        rows: (n,) sequences wanted, in this order.
    """
    lengths = offsets.diff()[rows]
    own = offsets_of(lengths)
    within = torch.arange(int(own[-1])) - own[:-1].repeat_interleave(lengths)
    return offsets[rows].repeat_interleave(lengths) + within, own


class Ragged:
    """Base of data classes that hold N sequences with S steps in all (CSR).

    A subclass is a frozen data class with a field ``offsets``, and says which of its fields have an
    entry for each step, and which one for each sequence. Those may be None. All other fields are
    common to all sequences.

    Attributes:
        STEPS: names of the fields of shape (S, ...).
        ROWS: names of the fields of shape (N, ...).
        offsets: (N + 1,) int64; sequence i owns the steps ``offsets[i]:offsets[i + 1]``.
    """

    STEPS: ClassVar[tuple[str, ...]]
    ROWS: ClassVar[tuple[str, ...]] = ()
    offsets: Tensor

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> Tensor:
        """(N,) int64 steps of each sequence."""
        return self.offsets.diff()

    @property
    def n_steps(self) -> int:
        """S, steps of all sequences together."""
        return int(self.offsets[-1])

    @property
    def last_step(self) -> Tensor:
        """(N,) position of the last step of each sequence."""
        return self.offsets[1:] - 1

    def select(self, rows: Tensor) -> Self:
        """Return the sequences in these rows (positions or mask), in this order."""
        rows = rows.nonzero()[:, 0] if rows.dtype == torch.bool else rows
        steps, offsets = steps_of(self.offsets, rows)
        return self._with(offsets, lambda column: column[steps], lambda column: column[rows])

    def between(self, first: int, last: int) -> Self:
        """Return sequences ``first`` to ``last - 1``, as views."""
        start, end = int(self.offsets[first]), int(self.offsets[last])
        offsets = self.offsets[first : last + 1] - start
        return self._with(offsets, lambda c: c[start:end], lambda c: c[first:last])

    def joined(self, more: Self) -> Self:
        """Return these sequences and those of ``more`` behind them, in the types of these."""
        changed: dict[str, Any] = {
            name: torch.cat([column, getattr(more, name).to(column.dtype)])
            for name, column in self._columns((*self.STEPS, *self.ROWS)).items()
        }
        offsets = torch.cat([self.offsets, more.offsets[1:] + self.offsets[-1]])
        return dataclasses.replace(self, offsets=offsets, **changed)  # type: ignore[type-var]

    def padded(self, column: Tensor, width: int, fill: float) -> Tensor:
        """Return a (S, ...) column as (N, ``width``, ...), what lies behind the end filled."""
        lengths = self.lengths
        if bool((lengths == width).all()):
            return column.view(len(self), width, *column.shape[1:])
        table = column.new_full((len(self), width, *column.shape[1:]), fill)
        table[torch.arange(width) < lengths[:, None]] = column
        return table

    def previous(self, column: Tensor, first: float) -> Tensor:
        """Return a (S, ...) column moved by a step: what stood before, ``first`` at the start."""
        before = column.roll(1, 0)
        before[self.offsets[:-1]] = first
        return before

    def _columns(self, names: tuple[str, ...]) -> dict[str, Tensor]:
        columns = {name: getattr(self, name) for name in names}
        return {name: column for name, column in columns.items() if column is not None}

    def _with(self, offsets: Tensor, of_steps: Any, of_rows: Any) -> Self:
        changed = {n: of_steps(c) for n, c in self._columns(self.STEPS).items()}
        changed |= {n: of_rows(c) for n, c in self._columns(self.ROWS).items()}
        return dataclasses.replace(self, offsets=offsets, **changed)  # type: ignore[type-var]
