"""Recordings by number: classes, parts and groups instead of names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
        columns: (N,) what else is known of each, by the name of the column.
    """

    values: np.ndarray
    offsets: np.ndarray
    label: np.ndarray
    part: np.ndarray
    group: np.ndarray | None
    names: SampleNames
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

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
            {name: values[rows] for name, values in self.columns.items()},
        )
