"""Sequences that belong together: copies of one another, and what a user says is one group."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rnnrepair.datamodules.column_values import column_values
from rnnrepair.errors import DataError

# The column of groups that a user gives by themselves.
OWN = "group"


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


def group_names(given: Any) -> list[Any]:
    """Return what groups are called, one of each sequence, as values that can be compared.

    Tensors are equal to none but themselves, and a pair (a person and a session) is one name.

    Args:
        given: n names or numbers, in anything that can be read once.
    """

    def one(value: Any) -> Any:
        if isinstance(value, np.datetime64):
            value = pd.Timestamp(value)
        value = value.tolist() if isinstance(value, np.ndarray | np.generic | Tensor) else value
        return tuple(map(one, value)) if isinstance(value, tuple | list) else value

    return [one(value) for value in given]


def group_numbers(
    given: Any, n: int, source: str, called: Callable[[int], str] = "number {} (from 0)".format
) -> Tensor:
    """Return (n,) int64 numbers of the groups that a user gives, whatever they are called.

    Args:
        given: n names or numbers.
        n: sequences.
        source: what messages call them.
        called: returns what they call one sequence.

    Raises:
        DataError: there are more or fewer, some are missing, or all are one.
    """
    names = pd.Series(group_names(given), dtype=object).replace("", None)
    if len(names) != n:
        raise DataError(f"{source} has {len(names)} entries for {n} sequences: give one for each.")
    number, _ = pd.factorize(names, sort=False)
    missing = np.flatnonzero(number < 0)
    if len(missing):
        raise DataError(
            f"{source} is missing for {len(missing)} sequences, the first is "
            f"{called(int(missing[0]))}: give each a group."
        )
    if number.max() == 0:
        raise DataError(
            f"{source}: all sequences are of one group, {names[0]!r}, and could not be split: give "
            "another group, or None."
        )
    return torch.from_numpy(number.astype(np.int64))


def with_groups(
    columns: Mapping[str, list[str]], given: Sequence[Any], number: Tensor
) -> dict[str, list[str]]:
    """Return the columns of n sequences, with what their groups are called.

    It stands there already where a column parts them in the same way; groups of one sequence each
    say nothing.

    Args:
        columns: n values each, by name.
        given: n of what ``group_names`` returns.
        number: (n,) int64 of the same, see ``group_numbers``.
    """
    n_groups = len(number.unique())
    told = any(
        len(set(values)) == n_groups == len(set(zip(values, number.tolist(), strict=True)))
        for values in columns.values()
        if len(values) == len(number)
    )
    if told or OWN in columns or 2 * n_groups > len(number):
        return dict(columns)
    names = [str(name) if isinstance(name, tuple) else name for name in given]
    return {**columns, **column_values({OWN: names}, OWN)}


def content_numbers(values: Tensor, offsets: Tensor) -> Tensor:
    """Return (N,) int64, equal where two sequences have the same steps, bit for bit.

    Args:
        values: (S, ...) steps of all sequences, one behind the other.
        offsets: (N + 1,) int64.
    """
    steps = np.ascontiguousarray(values.numpy())
    flat = steps.reshape(-1).view(np.uint8).data
    bounds = (offsets * steps[:1].nbytes).tolist()
    return numbered(content_digest(flat[start:stop]) for start, stop in pairwise(bounds))


def content_digest(steps: Any) -> bytes:
    """Return what tells the bytes of a sequence from all others."""
    return hashlib.blake2b(steps, digest_size=16).digest()


def numbered(digests: Iterable[bytes]) -> Tensor:
    """Return (N,) int64 numbers of digests, in the order in which they come."""
    seen: dict[bytes, int] = {}
    return torch.tensor([seen.setdefault(d, len(seen)) for d in digests], dtype=torch.int64)


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
