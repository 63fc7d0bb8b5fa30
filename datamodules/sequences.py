"""Sequences of any length in memory, one behind the other."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from rnnrepair.errors import DataError


@dataclass(frozen=True)
class Sequences:
    """N sequences, concatenated (CSR): float features or whole-number tokens.

    Attributes:
        values: (S, F) float32 features, or (S,) int32 tokens.
        offsets: (N + 1,) int64; sequence i owns the steps ``offsets[i]:offsets[i + 1]``.
        padding: what stands behind the end of a sequence in a padded batch.
    """

    values: Tensor
    offsets: Tensor
    padding: int = 0

    @classmethod
    def from_padded(cls, inputs: Tensor, lengths: Tensor, padding: int = 0) -> "Sequences":
        """Take (N, T, F) features or (N, T) tokens, of which the first (N,) lengths count.

        Raises:
            DataError: inputs and lengths do not fit each other.
        """
        if len(inputs) != len(lengths):
            raise DataError(
                f"{len(inputs)} inputs and {len(lengths)} lengths: expected as many of each."
            )
        n_steps = inputs.shape[1]
        if len(lengths) and not (int(lengths.min()) >= 1 and int(lengths.max()) <= n_steps):
            raise DataError(
                f"lengths must lie in 1 .. {n_steps}, found {int(lengths.min())} .. "
                f"{int(lengths.max())}."
            )
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        if bool((lengths == n_steps).all()):
            values = inputs.reshape(-1, *inputs.shape[2:])
        else:
            values = inputs[torch.arange(n_steps) < lengths[:, None]]
        return cls(values if values.is_floating_point() else values.int(), offsets, padding)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> Tensor:
        """(N,) int64."""
        return self.offsets.diff()

    @cached_property
    def _common_length(self) -> int | None:
        """The one length of all sequences, None where there are several."""
        first = int(self.lengths[0]) if len(self) else 0
        return first if bool((self.lengths == first).all()) else None

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, T, F) features or (B, T) int64 tokens, padded, and (B,) lengths."""
        lengths = self.lengths[rows]
        if self._common_length:
            # One gather of whole sequences.
            whole = self.values.view(len(self), self._common_length, *self.values.shape[1:])
            inputs = whole[rows]
        else:
            width = int(lengths.max()) if len(rows) else 1
            steps = torch.arange(width)
            place = self.offsets[rows][:, None] + steps
            inputs = self.values[place.clamp_max(max(len(self.values) - 1, 0))]
            inputs[steps >= lengths[:, None]] = self.padding
        return (inputs if inputs.is_floating_point() else inputs.long()), lengths

    def extended(self, inputs: Tensor, lengths: Tensor) -> "Sequences":
        """Return these sequences and further ones behind them.

        Raises:
            DataError: the further ones have other features, or lengths that do not fit.
        """
        more = Sequences.from_padded(inputs, lengths, self.padding)
        if more.values.shape[1:] != self.values.shape[1:]:
            raise DataError(
                f"New samples have steps of shape {tuple(more.values.shape[1:])}, the data "
                f"{tuple(self.values.shape[1:])}: the edit must keep what a step is."
            )
        if more.values.is_floating_point() != self.values.is_floating_point():
            raise DataError("New samples and data must both be features, or both be tokens.")
        return self.joined(more)

    def joined(self, more: "Sequences") -> "Sequences":
        """Return these sequences and those of ``more`` behind them."""
        values = torch.cat([self.values, more.values.to(self.values.dtype)])
        offsets = torch.cat([self.offsets, more.offsets[1:] + self.offsets[-1]])
        return Sequences(values, offsets, self.padding)

    def between(self, first: int, last: int) -> "Sequences":
        """Return sequences ``first`` to ``last - 1``; a copy, so that it can be saved alone."""
        start, end = int(self.offsets[first]), int(self.offsets[last])
        offsets = self.offsets[first : last + 1] - self.offsets[first]
        return Sequences(self.values[start:end].clone(), offsets, self.padding)
