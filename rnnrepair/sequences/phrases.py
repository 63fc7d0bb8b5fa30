"""Labelled parts of sequences: phrases of sentences."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Phrases:
    """P parts of training sequences, each with a label of its own.

    Parts are proper ones, never the whole sequence.

    Attributes:
        sequence: (P,) int64, ascending, index of the sequence that each is a part of.
        first: (P,) int64 step of the sequence that it begins with.
        end: (P,) int64 step behind its last one.
        label: (P,) int64 class.
    """

    sequence: Tensor
    first: Tensor
    end: Tensor
    label: Tensor

    def __len__(self) -> int:
        return len(self.sequence)

    @property
    def lengths(self) -> Tensor:
        """(P,) int64 steps of each."""
        return self.end - self.first

    def select(self, rows: Tensor) -> "Phrases":
        """Return the phrases in these rows (ascending positions, or a mask)."""
        return Phrases(*(getattr(self, field.name)[rows] for field in fields(self)))

    def of(self, sequences: Tensor) -> "Phrases":
        """Return the phrases of the sequences with these (n,) indices."""
        return self.select(torch.isin(self.sequence, sequences))

    def of_one(self, sequence: int) -> Tensor:
        """Return the (n,) rows of the phrases of one sequence."""
        between = torch.tensor([sequence, sequence + 1])
        begin, stop = torch.searchsorted(self.sequence, between).tolist()
        return torch.arange(begin, stop)

    def around(self, sequence: int, step: int) -> Tensor:
        """Return the (n,) rows of the phrases of a sequence that hold a step, shortest first."""
        rows = self.of_one(sequence)
        rows = rows[(self.first[rows] <= step) & (step < self.end[rows])]
        return rows[self.lengths[rows].argsort(stable=True)]
