"""Reduced hidden states of a whole split: small enough to keep, enough for any mixture."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rnnrepair.abstraction.mixture import Mixture
from rnnrepair.network import HiddenBatch
from rnnrepair.sequences import Ragged, offsets_of, smallest_int
from rnnrepair.traces import Traces


@dataclass(frozen=True)
class ReducedStates(Ragged):
    """Everything that one pass of the network leaves behind (S steps, N sequences).

    Attributes:
        vector: (S, k) float32 reduced hidden states.
        prediction: (S,) step predictions, smallest integer type.
        offsets: (N + 1,) int64.
        index: (N,) int64.
        label: (N,) int64.
        token: (S,) int32 tokens, None where inputs are features.
    """

    STEPS = ("vector", "prediction", "token")
    ROWS = ("index", "label")

    vector: Tensor
    prediction: Tensor
    offsets: Tensor
    index: Tensor
    label: Tensor
    token: Tensor | None = None

    @classmethod
    def collect(cls, stream: Iterable[HiddenBatch], n_classes: int) -> "ReducedStates":
        """Keep a stream of reduced states.

        Sequences end up in ascending order of their index, whatever order they come in.
        """
        dtype = smallest_int(n_classes)
        columns, tokens = [_Growing() for _ in range(5)], _Growing()
        for b in stream:
            of_batch = (b.hidden, b.prediction.to(dtype), b.lengths, b.index, b.label)
            for column, part in zip(columns, of_batch, strict=True):
                column.append(part)
            if b.token is not None:
                tokens.append(b.token)
        vector, prediction, lengths, index, label = (column.rows for column in columns)
        token = tokens.rows if len(tokens.rows) else None
        collected = cls(vector, prediction, offsets_of(lengths), index, label, token)
        order = index.argsort()
        return collected if torch.equal(index, index[order]) else collected.select(order)

    def narrowed(self, dims: int) -> "ReducedStates":
        """Return the same states with their first ``dims`` components only."""
        return self if dims >= self.vector.shape[1] else replace(self, vector=self.vector[:, :dims])

    def traces(self, mixture: Mixture, n_classes: int) -> Traces:
        """Return the traces that a mixture makes of these states."""
        return self.with_states(mixture.assign(self.vector), mixture.n_components, n_classes)

    def with_states(self, state: Tensor, n_states: int, n_classes: int) -> Traces:
        """Return the traces with these (S,) states of 0 .. ``n_states`` - 1."""
        return Traces(
            state.to(smallest_int(n_states)),
            self.prediction,
            self.offsets,
            self.index,
            self.label,
            n_states,
            n_classes,
            self.token,
        )


class _Growing:
    """A tensor that rows are appended to.

    A list of the parts would do, but parts that stay between the far larger hidden states of every
    batch, which go, leave the heap full of holes: several times the memory of the result.
    """

    def __init__(self) -> None:
        self._held = torch.empty(0)
        self._n_rows = 0

    def append(self, part: Tensor) -> None:
        end = self._n_rows + len(part)
        if end > len(self._held):
            larger = part.new_empty(2 * end, *part.shape[1:])
            if self._n_rows:
                larger[: self._n_rows] = self.rows
            self._held = larger
        self._held[self._n_rows : end] = part
        self._n_rows = end

    @property
    def rows(self) -> Tensor:
        return self._held[: self._n_rows]
