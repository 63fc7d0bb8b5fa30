"""What samples are called where they came from."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

SampleName = int | str

# Columns of the user's told beside a sample, at most, and characters of a value.
COLUMNS = 3
CHARACTERS = 20
DECIMAL = re.compile(r"-?\d+\.\d+(e-?\d+)?")


def _no_numbers() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


@dataclass(frozen=True, eq=False)
class SampleNames:
    """Names of samples: rows of a file, ids of recordings, positions in a data set.

    Data modules number their samples in an order of their own (training, val, test). A name leads
    back to where a sample came from.

    Attributes:
        values: (N,) whole numbers or strings, by the number of the sample.
        noun: what a name is, such as ``row``; empty where the name says it itself (``train 17``).
        told: where names are found, for people, such as ``row of walks.csv, from 0``.
        origin: (M,) int64 samples that injected ones, numbered from N on, were made from; -1 where
            nobody has said them.
        columns: what else the user's data say of each sample that was loaded, by the name of the
            column, in the order in which it is told.
    """

    values: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    noun: str = "sample"
    told: str = ""
    origin: Tensor = field(default_factory=_no_numbers)
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def by_part(cls, sizes: Sequence[tuple[str, int]], told: str) -> "SampleNames":
        """Return names such as ``train 17``: the part and the number in it, from 0.

        Args:
            sizes: name of each part and the samples in it, in their order.
            told: where names are found.
        """
        values = [f"{part} {number}" for part, n in sizes for number in range(n)]
        return cls(np.array(values, dtype=np.str_), "", told)

    def select(self, rows: Tensor | np.ndarray | Sequence[int]) -> "SampleNames":
        """Return the names of some samples, which are numbered anew in this order."""
        order = np.asarray(rows)
        columns = {name: [of[i] for i in order.tolist()] for name, of in self.columns.items()}
        return replace(self, values=self.values[order], columns=columns)

    def joined(self, more: Iterable[SampleName]) -> "SampleNames":
        """Return the names with more of them behind."""
        return replace(self, values=np.concatenate([self.values, np.array(list(more))]))

    def of(self, index: Tensor) -> list[SampleName]:
        """Return the names of (n,) samples; the number itself where there is none."""
        return [
            self.values[i].item() if i < len(self.values) else i for i in index.flatten().tolist()
        ]

    def called(self, index: Tensor) -> list[str]:
        """Return what people read of (n,) samples; of injected ones what they were made of."""
        return [self._called(i) for i in index.flatten().tolist()]

    def numbered(self, index: Tensor) -> list[str]:
        """Return the numbers of (n,) samples with what they are called, where that differs.

        Behind that stand the first columns of the user's data: ``17 (row 9, device=b)``.
        """
        told = zip(index.flatten().tolist(), self.called(index), self.told_of(index), strict=True)
        return [self._numbered(i, called, columns) for i, called, columns in told]

    def told_of(self, index: Tensor) -> list[str]:
        """Return what the first columns say of (n,) samples, such as ``device=b, site=north``.

        Values are cut; of injected samples those of what they were made of are told. Empty where
        there are no columns.
        """
        shown = list(self.columns)[:COLUMNS]
        values = [[_cut(value) for value in self.values_of(name, index)] for name in shown]
        return [
            ", ".join(f"{name}={value}" for name, value in zip(shown, of, strict=True) if value)
            for of in (zip(*values, strict=True) if shown else [()] * index.numel())
        ]

    def values_of(self, column: str, index: Tensor) -> list[str]:
        """Return the whole values of (n,) samples in a column, empty where none is known."""
        of = self.columns[column]
        rows = (self._origin_of(i) for i in index.flatten().tolist())
        return [of[row] if 0 <= row < len(of) else "" for row in rows]

    def find(self, names: Iterable[SampleName]) -> list[Tensor]:
        """Return for each name the (n,) samples that are called so, ascending; none for unknown.

        A name may be written as it is told, with its noun: ``row 9``.
        """
        written = np.array([str(value) for value in self.values.tolist()], dtype=np.str_)
        found = []
        for name in map(str, names):
            bare = name.removeprefix(f"{self.noun} ") if self.noun else name
            rows = np.flatnonzero(written == name)
            found.append(torch.from_numpy(rows if len(rows) else np.flatnonzero(written == bare)))
        return found

    def _numbered(self, i: int, called: str, columns: str) -> str:
        known = {f"{self.noun} {i}", f"sample {i}"}
        told = ", ".join(part for part in ("" if called in known else called, columns) if part)
        return f"{i} ({told})" if told else str(i)

    def _origin_of(self, i: int) -> int:
        """Return the sample that was loaded, or that an injected one was made of; -1 for none."""
        made = i - len(self.values)
        if made < 0 or len(self.values) == 0:
            return i
        return int(self.origin[made]) if made < len(self.origin) else -1

    def _called(self, i: int) -> str:
        if i < len(self.values):
            return f"{self.noun} {self.values[i]}".strip()
        made = i - len(self.values)
        if made >= len(self.origin):
            return f"sample {i}"
        origin = int(self.origin[made])
        return "injected" if origin < 0 else f"injected, made of {self._called(origin)}"


def table_columns(names: SampleNames, index: Tensor) -> dict[str, list[str]]:
    """Return what tables say of (n,) samples beside their own columns: ``column_NAME``."""
    return {f"column_{name}": names.values_of(name, index) for name in names.columns}


def names_from(values: Iterable[object], noun: str, told: str) -> SampleNames:
    """Return names out of a column of a table: whole numbers where all are, else strings."""
    written = [value_text(value) for value in np.asarray(values, dtype=object).tolist()]
    whole = all(text.isdecimal() and text == str(int(text)) for text in written)
    kind = np.int64 if whole else np.str_
    return SampleNames(np.array(written, dtype=np.str_).astype(kind), noun, told)


def _cut(value: str) -> str:
    # Seventeen digits of a measurement are noise.
    if DECIMAL.fullmatch(value):
        value = min(value, f"{float(value):.6g}", key=len)
    return value if len(value) <= CHARACTERS else f"{value[: CHARACTERS - 1]}…"


def value_text(value: object) -> str:
    """Return a value as people write it: 3.0 and 3 are the same."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
