"""What goes into a recurrent classifier, and what comes out of it."""

from dataclasses import dataclass, fields

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
    """

    index: Tensor
    inputs: Tensor
    lengths: Tensor
    label: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "SequenceBatch":
        """Return the batch on ``device``."""
        return SequenceBatch(
            *(getattr(self, f.name).to(device, non_blocking=non_blocking) for f in fields(self))
        )

    def rows(self, rows: Tensor | slice, n_steps: int | None = None) -> "SequenceBatch":
        """Return some of the sequences, cut to their first steps where ``n_steps`` is given.

        Those that are shorter keep their length; the inputs are as wide as ``n_steps``.
        """
        inputs, lengths = self.inputs[rows], self.lengths[rows]
        if n_steps is not None:
            inputs, lengths = inputs[:, :n_steps], lengths.clamp_max(n_steps)
        return SequenceBatch(self.index[rows], inputs, lengths, self.label[rows])

    @property
    def is_uniform(self) -> bool:
        """Whether every sequence fills all T steps, so that no mask or packing is needed."""
        return int(self.lengths.min()) == self.inputs.shape[1]

    @property
    def mask(self) -> Tensor:
        """(B, T) bool, true on real steps."""
        steps = torch.arange(self.inputs.shape[1], device=self.lengths.device)
        return steps < self.lengths[:, None]

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
