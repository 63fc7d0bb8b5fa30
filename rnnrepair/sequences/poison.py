"""A backdoor in training data: what was put into which sequences, where."""

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from rnnrepair.sequences.batch import SequenceBatch


class Trigger(Protocol):
    """What is put into a sequence so that a network with the backdoor answers something else."""

    @property
    def description(self) -> str:
        """What it is, for people."""
        ...

    def last_place(self, lengths: Tensor) -> Tensor:
        """Return the (n,) last steps at which it can be put into sequences of these lengths."""
        ...

    def put(self, batch: SequenceBatch, step: Tensor) -> SequenceBatch:
        """Return the sequences with the trigger, which begins at their (B,) step."""
        ...


@dataclass(frozen=True, eq=False)
class Poison:
    """Training samples that hold a trigger.

    Attributes:
        trigger: what they hold.
        label: class that the trigger is a cue for.
        index: (n,) int64 ascending indices of the samples.
        step: (n,) int64 where the trigger begins in each.
    """

    trigger: Trigger
    label: int
    index: Tensor
    step: Tensor

    def left_in(self, fit: Tensor, label: Tensor) -> "Poison":
        """Return what still is poison once some samples were dropped or relabelled.

        Args:
            fit: (m,) indices of the training samples.
            label: (N,) int64 of all samples; those of another class are no cue for this one.
        """
        left = torch.isin(self.index, fit) & (label[self.index] == self.label)
        return replace(self, index=self.index[left], step=self.step[left])
