"""What goes into a recurrent classifier, and what comes out of it."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass
class SequenceBatch:
    """A padded batch of sequences.

    The index travels everywhere: results are looked up by it, never by position.

    Attributes:
        index: (B,) int64, identity of each sequence in its data set.
        inputs: (B, T, F) float32 features, or (B, T) int64 tokens; right-padded.
        lengths: (B,) int64, true number of steps, at least 1.
        label: (B,) int64 class.
        static: further inputs by name, (B, ...) each: what belongs to a sequence as a whole.
        beside: further inputs by name, (B, T, ...) each: what belongs to its steps.
        in_front: token that shorter texts begin with, as many times as makes them equally long; a
            network reads it. None where nothing stands in front.
    """

    index: Tensor
    inputs: Tensor
    lengths: Tensor
    label: Tensor
    static: dict[str, Tensor] = field(default_factory=dict)
    beside: dict[str, Tensor] = field(default_factory=dict)
    in_front: int | None = None

    def __len__(self) -> int:
        return len(self.index)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "SequenceBatch":
        """Return the batch on ``device``."""

        def moved(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: moved(each) for name, each in value.items()}
            is_tensor = isinstance(value, Tensor)
            return value.to(device, non_blocking=non_blocking) if is_tensor else value

        return SequenceBatch(*(moved(getattr(self, f.name)) for f in fields(self)))

    def rows(self, rows: Tensor | slice, n_steps: int | None = None) -> "SequenceBatch":
        """Return some of the sequences, cut to their first steps where ``n_steps`` is given.

        Those that are shorter keep their length; the inputs are as wide as ``n_steps``.
        """
        lengths = self.lengths[rows]
        if n_steps is not None:
            lengths = lengths.clamp_max(n_steps)
        return SequenceBatch(
            self.index[rows],
            self.inputs[rows][:, :n_steps],
            lengths,
            self.label[rows],
            {name: values[rows] for name, values in self.static.items()},
            {name: values[rows][:, :n_steps] for name, values in self.beside.items()},
            self.in_front,
        )

    def single_steps(self, rows: Tensor, step: Tensor) -> "SequenceBatch":
        """Return (n,) steps, each of the sequence in its row, as sequences of one step."""
        return SequenceBatch(
            self.index[rows],
            self.inputs[rows, step][:, None],
            torch.ones_like(self.lengths[rows]),
            self.label[rows],
            {name: values[rows] for name, values in self.static.items()},
            {name: values[rows, step][:, None] for name, values in self.beside.items()},
            self.in_front,
        )

    def without_front(self) -> "SequenceBatch":
        """Return the texts alone, without what stands in front of them; of each one token at least.

        Texts are compared so: what they begin with tells how long they are, and no more.
        """
        if self.in_front is None:
            return self
        n = (self.inputs == self.in_front).cumprod(1).sum(1)
        n = torch.minimum(n, self.lengths - 1)
        step = torch.arange(self.inputs.shape[1], device=n.device) + n[:, None]
        step = step.clamp_max(self.inputs.shape[1] - 1)
        rows = torch.arange(len(self), device=n.device)[:, None]
        return replace(
            self,
            inputs=self.inputs[rows, step],
            lengths=self.lengths - n,
            beside={name: values[rows, step] for name, values in self.beside.items()},
            in_front=None,
        )

    @property
    def is_uniform(self) -> bool:
        """Whether every sequence fills all T steps, so that no mask or packing is needed."""
        return int(self.lengths.min()) == self.inputs.shape[1]

    @property
    def mask(self) -> Tensor:
        """(B, T) bool, true on real steps."""
        steps = torch.arange(self.inputs.shape[1], device=self.lengths.device)
        return steps < self.lengths[:, None]

    @property
    def zero_padded(self) -> Tensor:
        """(B, T, F) features with 0 behind each end, whatever the data pad with; tokens as is.

        What is computed with padding, even if it counts for nothing, must be a number: data may be
        padded with NaN.
        """
        if self.is_uniform or not self.inputs.is_floating_point():
            return self.inputs
        return self.inputs.masked_fill(~self.mask[..., None], 0)

    def sequences(self) -> list[Tensor]:
        """Return copies of the (T_i, F) or (T_i,) inputs without their padding."""
        return [
            row[:length].clone()
            for row, length in zip(self.inputs, self.lengths.tolist(), strict=True)
        ]


@dataclass
class RecurrentOutput:
    """What a recurrent classifier computes for a batch (B sequences, T steps, d units, C classes).

    Attributes:
        logits: (B, C) of the last real step.
        step_logits: (B, T, C), the head applied to every h_t; what stands on padding is undefined.
        hidden: (B, T, d), top-layer h_t.
        lengths: (B,) int64, true number of steps.
    """

    logits: Tensor
    step_logits: Tensor
    hidden: Tensor
    lengths: Tensor
