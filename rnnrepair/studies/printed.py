"""A table that people read."""

from collections.abc import Sequence
from dataclasses import dataclass


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
