"""The states that sequences end in."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.abstraction.reduced import ReducedStates


@dataclass(frozen=True)
class LastStates:
    """The reduced states that n sequences end in, of all splits of an analysis.

    Attributes:
        index: (n,) int64, ascending.
        vector: (n, k) float32.
    """

    index: Tensor
    vector: Tensor

    @classmethod
    def of(cls, splits: Iterable[ReducedStates]) -> "LastStates":
        """Take those of every sequence of some splits, which share none."""
        held = list(splits)
        index, order = torch.cat([s.index for s in held]).sort()
        return cls(index, torch.cat([s.vector[s.last_step] for s in held])[order])

    def hold(self, index: Tensor) -> bool:
        """Whether all of some sequences are among them."""
        return bool(torch.isin(index, self.index).all())

    def at(self, index: Tensor) -> Tensor:
        """Return (m, k) of m sequences that are held."""
        return self.vector[torch.searchsorted(self.index, index)]
