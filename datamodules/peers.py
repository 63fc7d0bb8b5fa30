"""Sequences by class and length."""

import torch
from torch import Tensor


class Peers:
    """Draws sequences of a class and a length."""

    def __init__(self, index: Tensor, label: Tensor, lengths: Tensor) -> None:
        """Take (n,) indices, labels and steps of those that are drawn from."""
        self._n_lengths = int(lengths.max()) + 1 if len(lengths) else 1
        key, order = self._key(label, lengths).sort(stable=True)
        self._index, self._sorted = index[order], key

    def draw(
        self, label: Tensor, lengths: Tensor, otherwise: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Return (m,) indices at random, one of each of these classes and lengths.

        Args:
            label: (m,) classes.
            lengths: (m,) steps.
            otherwise: (m,) what is returned where there is none.
            generator: draws.
        """
        key = self._key(label, lengths)
        first = torch.searchsorted(self._sorted, key)
        n = torch.searchsorted(self._sorted, key, right=True) - first
        # A length beyond all has the key of a shorter one of the next class.
        n[lengths >= self._n_lengths] = 0
        chance = torch.rand(len(key), dtype=torch.float64, generator=generator)
        row = first + (chance * n).long()
        drawn = otherwise.clone()
        drawn[n > 0] = self._index[row[n > 0]]
        return drawn

    def _key(self, label: Tensor, lengths: Tensor) -> Tensor:
        return label.long() * self._n_lengths + lengths.long()
