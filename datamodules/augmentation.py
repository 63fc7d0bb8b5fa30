"""Augmentation: edits of training sequences, anew in every epoch."""

from dataclasses import replace

import torch
from torch import Tensor

from rnnrepair.edits import EditFamily
from rnnrepair.sequences import SequenceBatch
from rnnrepair.settings import Share, check_settings


class Augmentation:
    """Edits a share of the sequences of every training batch, each with an edit of its own."""

    def __init__(self, share: Share, edits: EditFamily) -> None:
        """Take the share of sequences that are edited, and the family of edits.

        Raises:
            SettingsError: the share is out of range.
        """
        check_settings(Augmentation, locals())
        self.share = share
        self.edits = edits

    def __call__(
        self, batch: SequenceBatch, editable: Tensor, generator: torch.Generator
    ) -> SequenceBatch:
        """Return the batch with a share of its (B,) editable sequences edited."""
        chosen = torch.rand(len(batch), generator=generator) < self.share
        rows = (chosen & editable).nonzero()[:, 0]
        if len(rows) == 0:
            return batch
        inputs = batch.inputs.clone()
        drawn = self.edits.draw(len(rows), generator)
        inputs[rows] = self.edits.apply(batch.inputs[rows], drawn, batch.lengths[rows])
        return replace(batch, inputs=inputs)
