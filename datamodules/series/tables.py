"""What the readers of tables of series share: columns by their names, channels of numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from rnnrepair.datamodules.tables import COMMA_NUMBER, TableFile, open_table
from rnnrepair.errors import DataError

# How whole numbers and others are written, without leading zeros.
WHOLE = r"-?(0|[1-9]\d{0,17})(\.0+)?"
NUMBER = r"-?(0|[1-9]\d*)(\.\d*)?"
SUFFIXES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class Columns:
    """How the columns of a table are called, and how it is written.

    Attributes:
        id: recording that a row belongs to.
        time: of a row in its recording.
        label: class of the recording.
        split: ``train``, ``val`` or ``test``; None for none.
        more: columns that groups and test sets are chosen by, and patterns are looked for in, each
            with the argument that names it.
        channels: the channels; None takes all other columns of numbers.
        separator: between two columns of csv; None finds it.
        encoding: of csv and tsv.
    """

    id: str = "id"
    time: str = "time"
    label: str = "label"
    split: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)
    channels: Sequence[str] | None = None
    separator: str | None = None
    encoding: str = "utf-8"

    def texts_in(self, header: Sequence[str]) -> list[str]:
        """Return the columns that are names, so that what is written is kept."""
        return [name for name in dict.fromkeys([self.id, *self.of_recordings()]) if name in header]

    def of_recordings(self) -> list[str]:
        """Return the columns that have one value a recording."""
        return [self.label, *([] if self.split is None else [self.split]), *self.more]


def open_series_table(
    path: Path,
    columns: Columns,
    wanted: Sequence[tuple[str, str]],
    *,
    told: Sequence[tuple[str, str]] = (),
    tell: bool = True,
) -> TableFile:
    """Open a table that is written as ``columns`` say; see ``open_table``."""
    return open_table(path, wanted, columns.separator, columns.encoding, told=told, tell=tell)


def as_written(column: "pd.Series[Any]", pattern: str = NUMBER) -> "pd.Series[Any]":
    """Return texts as numbers where all are written as such, else as they are: 007 is no 7."""
    if column.dtype.kind != "O":
        return column
    numbers = column.dropna().astype(str).str.fullmatch(pattern)
    return pd.to_numeric(column) if bool(numbers.all()) else column


def check_numbers(
    table: pd.DataFrame, channels: Sequence[str], file: TableFile, read_as: str = ""
) -> None:
    """Refuse channels that hold something else than numbers.

    Args:
        table: that holds them.
        channels: their names.
        file: of the table.
        read_as: what the message says of how the table is read.

    Raises:
        DataError: names the column and the first value that is no number.
    """
    for name in channels:
        column = table[name]
        if column.dtype.kind in "fiub":
            continue
        wrong = pd.to_numeric(column, errors="coerce").isna() & column.notna()
        # Where more have a decimal comma than a point, what has neither is wrong, and not all.
        with_comma = column.astype(str).str.fullmatch(COMMA_NUMBER)
        points = ~with_comma & ~wrong & column.notna()
        if file.separator != "," and bool((with_comma & wrong).sum() > points.sum()):
            wrong = column.notna() & ~with_comma
        row = int(wrong.to_numpy().argmax())
        where = f"{file.path}{read_as}: {name!r} holds '{column.iloc[row]}' in {file.place(row)}"
        if bool(wrong[column.notna()].all()) and not bool(with_comma.any()):
            raise DataError(
                f"{where} and no number at all, so it is no channel. Name the channels "
                "(channels=[...]); what each recording is of, such as a device, is "
                f"columns=[{name}], and which split it belongs to split_column={name}."
            )
        raise DataError(
            f"{where}, expected numbers with a decimal point or, where commas do not separate "
            "columns, all with a decimal comma (empty where a value is missing): name the channels "
            "(channels=[...]), or correct the file."
        )
