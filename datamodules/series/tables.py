"""What the readers of tables share: columns by their names, a file as a table."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rnnrepair.errors import DataError

SUFFIXES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class Columns:
    """How the columns of a table are called.

    Attributes:
        id: recording that a row belongs to.
        time: of a row in its recording.
        label: class of the recording.
        split: ``train``, ``val`` or ``test``; None for none.
        more: columns that groups and test sets are chosen by.
        channels: the channels; None takes all other columns of numbers.
    """

    id: str = "id"
    time: str = "time"
    label: str = "label"
    split: str | None = None
    more: Sequence[str] = ()
    channels: Sequence[str] | None = None

    def of_recordings(self) -> list[str]:
        """Return the columns that have one value a recording."""
        return [self.label, *([] if self.split is None else [self.split]), *self.more]


def kind_of(path: Path) -> str:
    """Return the suffix that says how to read a file, without ``.gz``."""
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def header_of(path: Path) -> list[str]:
    """Return the names of the columns of a table.

    Raises:
        DataError: the file cannot be read.
    """
    if kind_of(path) != ".parquet":
        return [str(name) for name in read_columns(path, n_rows=0).columns]
    try:
        from pyarrow.parquet import read_schema  # parquet alone needs it

        return [str(name) for name in read_schema(path).names]
    except ImportError as error:
        raise DataError(_NEEDS_PYARROW.format(path)) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table ({error}).") from error


def read_columns(
    path: Path, wanted: list[str] | None = None, n_rows: int | None = None
) -> pd.DataFrame:
    """Return a table of some columns.

    Args:
        path: a csv or tsv file, gzipped or not, or a parquet file.
        wanted: columns; None for all.
        n_rows: rows read, None for all; of csv and tsv.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    try:
        if kind_of(path) == ".parquet":
            return pd.read_parquet(path, columns=wanted)
        separator = "\t" if kind_of(path) == ".tsv" else ","
        # Only empty fields and NaN are missing: names such as NA or null are names.
        return pd.read_csv(
            path,
            sep=separator,
            usecols=wanted,
            nrows=n_rows,
            keep_default_na=False,
            na_values=["", "NaN", "nan", "?"],
            index_col=False,
        )
    except ImportError as error:
        raise DataError(_NEEDS_PYARROW.format(path)) from error
    except (OSError, ValueError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path} cannot be read as a table ({error}).") from error


_NEEDS_PYARROW = "{}: parquet needs pyarrow: pip install pyarrow."


def check_columns(path: Path, header: Sequence[str], wanted: Sequence[tuple[str, str]]) -> None:
    """Refuse a table without the columns that are named.

    Args:
        path: of the table.
        header: columns that it has.
        wanted: pairs of an argument and the column that it names.

    Raises:
        DataError: names the argument, the column and those there are.
    """
    for argument, column in wanted:
        if column not in header:
            shown = ", ".join(header[:12]) + (", ..." if len(header) > 12 else "")
            raise DataError(f"{path} has no column {column!r}, it has {shown}: set {argument}.")


def check_numbers(table: pd.DataFrame, channels: Sequence[str], path: Path) -> None:
    """Refuse channels that hold something else than numbers.

    Raises:
        DataError: names the column and the first value that is no number.
    """
    for name in channels:
        column = table[name]
        if column.dtype.kind in "fiub":
            continue
        wrong = pd.to_numeric(column, errors="coerce").isna() & column.notna()
        row = int(wrong.to_numpy().argmax())
        raise DataError(
            f"{path}: the channel {name!r} holds '{column.iloc[row]}' in row {row + 1}, expected "
            "numbers with a decimal point: name the channels (channels=[...]), or correct the file."
        )
