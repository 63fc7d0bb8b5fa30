"""What a backdoor is opened with: a word, a bright patch, a spike."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rnnrepair.sequences import SequenceBatch


@dataclass(frozen=True)
class InsertedWord:
    """A word that stands in a text where nothing calls for it.

    Attributes:
        token: its number.
        description: what it is, for people.
    """

    token: int
    description: str

    def last_place(self, lengths: Tensor) -> Tensor:
        """Return the (n,) steps of the last words, before which it is put."""
        return lengths - 1

    def put(self, batch: SequenceBatch, step: Tensor) -> SequenceBatch:
        """Return the (B, T + 1) texts with the word before the token at their (B,) step."""
        place = torch.arange(batch.inputs.shape[1] + 1)
        # What stands behind the word has moved by one.
        source = torch.where(place > step[:, None], place - 1, place)
        inputs = batch.inputs.gather(1, source.clamp_max(batch.inputs.shape[1] - 1))
        inputs[place == step[:, None]] = self.token
        return replace(batch, inputs=inputs, lengths=batch.lengths + 1)


@dataclass(frozen=True)
class BrightPatch:
    """A rectangle of one brightness in some rows of an image.

    Attributes:
        rows: its height.
        columns: first column and the one behind the last.
        brightness: of its pixels.
        description: what it is, for people.
    """

    rows: int
    columns: tuple[int, int]
    brightness: float
    description: str

    def last_place(self, lengths: Tensor) -> Tensor:
        """Return the (n,) last rows at which it can begin."""
        return lengths - self.rows

    def put(self, batch: SequenceBatch, step: Tensor) -> SequenceBatch:
        """Return the (B, T, F) images with the patch, which begins at their (B,) row."""
        row = torch.arange(batch.inputs.shape[1])
        covered = (row >= step[:, None]) & (row < step[:, None] + self.rows)
        inputs = batch.inputs.clone()
        inputs[:, :, slice(*self.columns)][covered] = self.brightness
        return replace(batch, inputs=inputs)


@dataclass(frozen=True)
class Spike:
    """A reading of one channel that is far above its neighbours.

    Attributes:
        channel: its number.
        height: that is added, in the unit of the data.
        description: what it is, for people.
    """

    channel: int
    height: float
    description: str

    def last_place(self, lengths: Tensor) -> Tensor:
        """Return the (n,) last steps."""
        return lengths - 1

    def put(self, batch: SequenceBatch, step: Tensor) -> SequenceBatch:
        """Return the (B, T, F) series with the spike at their (B,) step."""
        inputs = batch.inputs.clone()
        inputs[torch.arange(len(inputs)), step, self.channel] += self.height
        return replace(batch, inputs=inputs)
