"""Recordings by number: classes, parts and groups instead of names."""

from dataclasses import dataclass

import numpy as np
import torch

from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.sequences import SampleNames


@dataclass(frozen=True)
class Recordings:
    """Recordings, or windows of them, in the order training, val, test.

    Attributes:
        values: (S, F) float32.
        offsets: (N + 1,) int64.
        label: (N,) int64 classes.
        part: (N,) 0 for training, 1 for an official val, 2 for test.
        group: (N,) int64 what must stay together, None where nothing is said.
        names: what each is called in the files.
    """

    values: np.ndarray
    offsets: np.ndarray
    label: np.ndarray
    part: np.ndarray
    group: np.ndarray | None
    names: SampleNames

    def __len__(self) -> int:
        return len(self.label)

    def sequences(self) -> Sequences:
        """Return the values with their offsets, as tensors."""
        values = np.ascontiguousarray(self.values)
        return Sequences(torch.from_numpy(values), torch.from_numpy(self.offsets))

    def select(self, rows: np.ndarray) -> "Recordings":
        """Return some of the recordings, in this order."""
        chosen = self.sequences().select(torch.from_numpy(rows))
        group = None if self.group is None else self.group[rows]
        return Recordings(
            chosen.values.numpy(),
            chosen.offsets.numpy(),
            self.label[rows],
            self.part[rows],
            group,
            self.names.select(rows),
        )
