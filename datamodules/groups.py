"""Sequences that belong together: copies of one another, and what a user says is one group."""

import hashlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from rnnrepair.errors import DataError
from rnnrepair.sequences import Ragged


@dataclass(frozen=True)
class Groups:
    """Which of n sequences must stand in one split.

    Attributes:
        copies: (n,) int64, equal where two sequences have the same content.
        named: (n,) int64 group that the user gives each (a recording, a person); None for none.
    """

    copies: Tensor
    named: Tensor | None = None

    def joined(self, n: int) -> Tensor:
        """Return (n,) int64 groups of the first n sequences, numbered by their first members.

        Copies are in one group, and so are all members of two named groups that share a copy.
        """
        own = torch.arange(n)
        parts = [self.copies[:n], *(() if self.named is None else (self.named[:n],))]
        if all(len(part.unique()) == n for part in parts):
            return own
        numbered = [part.unique(return_inverse=True)[1] for part in parts]
        while True:
            before = own
            for number in numbered:
                least = torch.full((int(number.max()) + 1,), n)
                own = least.scatter_reduce(0, number, own, "amin")[number]
            if torch.equal(own, before):
                return own


def content_numbers(sequences: Ragged) -> Tensor:
    """Return (N,) int64, equal where two sequences have the same steps, bit for bit.

    Only the column of the sequences that is called ``values`` counts.
    """
    values = np.ascontiguousarray(sequences.values.numpy())  # type: ignore[attr-defined]
    flat = values.reshape(-1).view(np.uint8).data
    width = values[:1].nbytes
    bounds = (sequences.offsets * width).tolist()
    seen: dict[bytes, int] = {}
    numbers = [
        seen.setdefault(hashlib.blake2b(flat[start:stop], digest_size=16).digest(), len(seen))
        for start, stop in pairwise(bounds)
    ]
    return torch.tensor(numbers, dtype=torch.int64)


def refuse_labels(groups: Tensor, label: Tensor, source: str) -> None:
    """Refuse (n,) groups that are the (n,) labels under other numbers.

    Raises:
        DataError: they are; says what to do.
    """
    pairs = torch.stack([groups, label]).unique(dim=1).shape[1]
    if pairs == len(groups.unique()) == len(label.unique()):
        raise DataError(
            f"{source}: the groups are the labels, so that every class would stand in one split: "
            "name what sequences have in common beside their class."
        )
