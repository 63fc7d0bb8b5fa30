"""A table that people read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

# A cell for which there is no number.
NOTHING = "-"


@dataclass(frozen=True)
class Printed:
    """A table whose cells are written out.

    Attributes:
        title: above it.
        header: a name for each column.
        rows: as many cells each.
        keys: so many columns, the first, say what a row is of.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    keys: int = 1

    def without_empty_columns(self) -> "Printed":
        """Return the table without columns that say nothing of any row, as p of few seeds."""
        columns = range(self.keys, len(self.header))
        empty = {i for i in columns if self.rows and all(row[i] == NOTHING for row in self.rows)}

        def kept(cells: Sequence[str]) -> list[str]:
            return [cell for i, cell in enumerate(cells) if i not in empty]

        return replace(self, header=kept(self.header), rows=[kept(row) for row in self.rows])


# Above what ``contrast_cells`` returns.
CONTRAST_HEADER = ("difference", "95 % interval", "p", "p (Holm)")


def contrast_cells(row: Mapping[str, Any], digits: int) -> list[str]:
    """Return the numbers of a contrast, written out.

    Args:
        row: has ``difference``, ``low``, ``high``, ``p`` and ``p_holm``.
        digits: behind the point, of the first three.
    """
    ends = between(row["low"], row["high"], f"+.{digits}f")
    return [f"{row['difference']:+.{digits}f}", ends, *map(_p, (row["p"], row["p_holm"]))]


def _p(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:.2g}"


def between(low: float, high: float, form: str) -> str:
    """Return an interval as it is written; a line where there is none, as of few seeds."""
    return NOTHING if math.isnan(low) or math.isnan(high) else f"{low:{form}} .. {high:{form}}"
