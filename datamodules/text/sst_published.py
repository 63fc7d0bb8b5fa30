"""The authors' segment-repair protocol on SST, which leaks: its targets are test sentences."""

from typing import Any

import torch
from torch import Tensor

from rnnrepair.datamodules.groups import Groups
from rnnrepair.datamodules.text.sst import SSTDataModule


class SSTPublishedDataModule(SSTDataModule):
    """All training sentences train; positive test sentences supply the failures to repair.

    Those with a word that no training sentence holds are left out, as the authors do: nothing but
    the insertions would train the vector of ``<unk>``, which would come to mean "positive".

    Source: RNNRepair section 4.4 and its code. ``repair`` is a part of ``test``.
    """

    def __init__(self, **text: Any) -> None:
        """Choose the protocol; see ``SSTDataModule``. There is no other source than SST."""
        super().__init__(**{"source": "folder", **text})

    def split(self, label: Tensor, n_train: int, n_val: int, groups: Groups) -> dict[str, Tensor]:
        """Train on everything; the failures come from the test set (this is the leak)."""
        test = torch.arange(n_train + n_val, len(label))
        return {
            "fit": torch.arange(n_train),
            "repair": test[label[test] == 1],
            "val": torch.arange(n_train, n_train + n_val),
            "test": test,
        }

    def prepare_splits(self) -> None:
        """Leave out targets with unknown words."""
        self._splits["repair"] = self._splits["repair"][~self.holds_unknown("repair")]
