"""Sequences of any length in memory, one behind the other."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rnnrepair.datamodules.groups import content_numbers
from rnnrepair.errors import ConfigurationError, DataError
from rnnrepair.sequences import Ragged, SequenceBatch, offsets_of, steps_of


@dataclass(frozen=True)
class Sequences(Ragged):
    """N sequences, concatenated (CSR): float features or whole-number tokens.

    Attributes:
        values: (S, F) float32 features, or (S,) int32 tokens.
        offsets: (N + 1,) int64; sequence i owns the steps ``offsets[i]:offsets[i + 1]``.
        padding: what stands behind the end of a sequence in a padded batch.
        width: steps that a padded batch has at least.
    """

    STEPS = ("values",)

    values: Tensor
    offsets: Tensor
    padding: float = 0
    width: int = 0

    @classmethod
    def from_padded(
        cls, inputs: Tensor | np.ndarray, lengths: Tensor | np.ndarray, padding: float = 0
    ) -> "Sequences":
        """Take (N, T, F) features or (N, T) tokens, of which the first (N,) lengths count.

        Floats of (N, T) are one feature a step; float64 becomes float32.

        Raises:
            DataError: inputs and lengths do not fit each other.
        """
        inputs, lengths = torch.as_tensor(inputs), torch.as_tensor(lengths).long()
        if inputs.is_floating_point():
            inputs = inputs.float()
            inputs = inputs[..., None] if inputs.dim() == 2 else inputs
        if inputs.dim() != (3 if inputs.is_floating_point() else 2):
            raise DataError(
                f"Inputs have shape {tuple(inputs.shape)} and type {inputs.dtype}, expected floats "
                "(sequences, steps, features) or whole numbers, tokens (sequences, steps). Pixels "
                "of 0 to 255 are made floats by inputs.float() / 255."
            )
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
        offsets = offsets_of(lengths)
        if bool((lengths == n_steps).all()):
            values = inputs.reshape(-1, *inputs.shape[2:])
        else:
            values = inputs[torch.arange(n_steps) < lengths[:, None]]
        return cls(values if values.is_floating_point() else values.int(), offsets, padding)

    @property
    def in_front(self) -> None:
        """Nothing stands in front of sequences."""

    @cached_property
    def _common_length(self) -> int | None:
        """The one length of all sequences, None where there are several."""
        first = int(self.lengths[0]) if len(self) else 0
        return first if bool((self.lengths == first).all()) else None

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, T, F) features or (B, T) int64 tokens, padded, and (B,) lengths."""
        lengths = self.lengths[rows]
        if self._common_length and self._common_length >= self.width:
            # One gather of whole sequences.
            whole = self.values.view(len(self), self._common_length, *self.values.shape[1:])
            inputs = whole[rows]
        else:
            width = max(int(lengths.max()) if len(rows) else 1, self.width)
            steps = torch.arange(width)
            place = self.offsets[rows][:, None] + steps
            inputs = self.values[place.clamp_max(max(len(self.values) - 1, 0))]
            inputs[steps >= lengths[:, None]] = self.padding
        return (inputs if inputs.is_floating_point() else inputs.long()), lengths

    def copies(self) -> Tensor:
        """Return (N,) int64, equal where two sequences have the same steps, bit for bit."""
        return content_numbers(self.values, self.offsets)

    @property
    def largest_token(self) -> int | None:
        """The largest of all; None of features, and of no sequences."""
        if self.values.is_floating_point() or len(self.values) == 0:
            return None
        return int(self.values.max())

    def fingerprinted(self) -> tuple[Tensor, ...]:
        """Return what tells these sequences from others."""
        return self.values, self.offsets

    def replaced(self, batch: SequenceBatch) -> "Sequences":
        """Return these sequences with other steps for those of a batch, by their index."""
        lengths = self.lengths.clone()
        lengths[batch.index] = batch.lengths
        offsets = offsets_of(lengths)
        others = torch.ones(len(self), dtype=torch.bool)
        others[batch.index] = False
        kept = others.nonzero()[:, 0]
        values = self.values.new_empty(int(offsets[-1]), *self.values.shape[1:])
        source, place = (steps_of(of, kept)[0] for of in (self.offsets, offsets))
        values[place] = self.values[source]
        values[steps_of(offsets, batch.index)[0]] = batch.inputs[batch.mask].to(values.dtype)
        return replace(self, values=values, offsets=offsets)

    def check_origins(self, origin: Tensor | None, lengths: Tensor) -> None:
        """Refuse nothing: these are steps and nothing else."""

    def further(self, rows: Tensor, width: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return no further inputs: these are steps and nothing else."""
        return {}, {}

    def none(self) -> "Sequences":
        """Return no sequences of the same kind."""
        return replace(self, values=self.values[:0], offsets=self.offsets[:1] * 0)

    def like(self, inputs: Tensor, lengths: Tensor) -> "Sequences":
        """Return further sequences of the same kind.

        Raises:
            DataError: they have other features, or lengths that do not fit.
        """
        more = replace(Sequences.from_padded(inputs, lengths, self.padding), width=self.width)
        if more.values.is_floating_point() != self.values.is_floating_point():
            raise DataError("New samples and data must both be features, or both be tokens.")
        if more.values.shape[1:] != self.values.shape[1:]:
            raise DataError(
                f"New samples have steps of shape {tuple(more.values.shape[1:])}, the data "
                f"{tuple(self.values.shape[1:])}: the edit must keep what a step is."
            )
        return more


def in_memory(sequences: object, what: str) -> Sequences:
    """Return sequences that are in memory, as what changes or leaves out some of them needs.

    Args:
        sequences: of a data set.
        what: needs them so, by its key.

    Raises:
        ConfigurationError: they are read when they are needed.
    """
    if not isinstance(sequences, Sequences):
        raise ConfigurationError(
            f"{what} works on sequences in memory, and these are read when they are needed: leave "
            "it out."
        )
    return sequences
