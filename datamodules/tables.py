"""The one reader of tables: csv with any separator, tsv, jsonl and parquet."""

import gzip
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from rnnrepair.datamodules.files import kind_of
from rnnrepair.datamodules.separators import SEPARATORS, find_separator, name_of
from rnnrepair.datamodules.table_columns import check_columns
from rnnrepair.datamodules.table_content import (
    decoded,
    head_of,
    parquet_header,
    parse_texts,
    parsed,
    read_parquet,
)
from rnnrepair.datamodules.table_lines import line_of_json, line_of_row, number_of_row
from rnnrepair.errors import DataError

log = logging.getLogger(__name__)

KINDS = (".csv", ".tsv", ".jsonl", ".parquet")
COMMA_NUMBER = r"\s*[-+]?(\d+(,\d*)?|,\d+)([eE][-+]?\d+)?\s*"


@dataclass(frozen=True)
class TableFile:
    """A csv, tsv or parquet file, and how it is written.

    Attributes:
        path: of the file.
        header: names of its columns.
        separator: between two fields; of csv and tsv.
        quotes: whether quotes hold a field together; of csv and tsv.
        encoding: of csv and tsv.
        tell: whether to log what was found out about it.
    """

    path: Path
    header: list[str]
    separator: str = ","
    quotes: bool = True
    encoding: str = "utf-8"
    tell: bool = True

    def texts(self) -> pd.DataFrame:
        """Return all columns, every field of csv and tsv as text.

        Raises:
            DataError: the file cannot be read, or has rows of more fields than there are columns.
        """
        if kind_of(self.path) == ".parquet":
            return read_parquet(self.path)
        content = decoded(self.path, self.encoding)
        return parse_texts(content, str(self.path), self.separator, quotes=self.quotes)

    def numbers(
        self, columns: Sequence[str], numeric: Sequence[str], texts: Sequence[str] = ()
    ) -> pd.DataFrame:
        """Return some columns, each of the type that its fields have.

        A comma is taken for the decimal sign where it does not separate columns and every field
        of a numeric column is such a number.

        Args:
            columns: that are wanted.
            numeric: those of them that should hold numbers.
            texts: those of them that stay as they are written in csv and tsv: 007 is no 7.

        Raises:
            DataError: the file cannot be read, or has rows of more fields than there are columns.
        """
        others = [name for name in self.header if name not in columns]
        if kind_of(self.path) == ".parquet":
            return read_parquet(self.path, list(columns))
        table = self._typed(".", texts).drop(columns=others)
        commas = [] if self.separator == "," else [c for c in numeric if _has_commas(table[c])]
        if not commas:
            return table
        if self.tell:
            log.info("%s: numbers have a decimal comma, as in column %r.", self.path, commas[0])
        again = self._typed(",", texts)
        # Names stay as they were: a class called 1,5 is no number.
        return table.assign(**{name: again[name] for name in numeric})

    def place(self, row: int) -> str:
        """Return where a row (from 0) stands, for messages: its line; of parquet its number."""
        if kind_of(self.path) == ".parquet":
            return number_of_row(row)
        content = decoded(self.path, self.encoding)
        return line_of_row(content, row, self.separator, quotes=self.quotes)

    def _typed(self, decimal: str, texts: Sequence[str]) -> pd.DataFrame:
        """Return the table with numbers where pandas sees some, but for some texts."""
        # Only empty fields and NaN are missing: names such as NA or null are names.
        missing = ["", "NaN", "nan", "?"]
        how: dict[str, Any] = {"na_values": missing, "decimal": decimal, "encoding": self.encoding}
        # By the names that the table is known by: those in the file may have spaces around them.
        how |= {"header": 0, "names": self.header, "dtype": dict.fromkeys(texts, str)}
        read = partial(parsed, self.path, str(self.path), self.separator, quotes=self.quotes, **how)
        try:
            try:
                return read()
            except pd.errors.DtypeWarning:
                # Pieces of the file differ: one and the same id would be 5 here and "5" there.
                return read(low_memory=False)
        except UnicodeDecodeError:
            decoded(self.path, self.encoding)  # says in which line
            raise
        except (OSError, EOFError, gzip.BadGzipFile) as error:
            raise DataError(f"{self.path} cannot be read as a table ({error}).") from error


def open_table(
    path: Path,
    wanted: Sequence[tuple[str, str]] = (),
    separator: str | None = None,
    encoding: str = "utf-8",
    *,
    told: Sequence[tuple[str, str]] = (),
    tell: bool = True,
) -> TableFile:
    """Find out how a table is written, and whether it has the columns that it should have.

    Args:
        path: of a csv or tsv file, gzipped or not, or of a parquet file.
        wanted: pairs of an argument and the column that it names.
        separator: name or character, see ``SEPARATORS``; None finds it (of tsv it is the tab).
        encoding: of csv and tsv.
        told: further pairs, which are told with what is missing; without them alone the table is
            read.
        tell: whether to log what was found.

    Raises:
        DataError: the file cannot be read, lacks a column, or may be separated in several ways.
    """
    if kind_of(path) == ".parquet":
        header = parquet_header(path)
        check_columns(path, header, wanted, told)
        return TableFile(path, header)
    head = head_of(path, encoding)
    usual = "\t" if kind_of(path) == ".tsv" else ","
    if separator is not None:
        used = SEPARATORS.get(separator, separator)
    elif usual == "\t":
        used = usual
    else:
        used = find_separator(head, [column for _, column in wanted], usual, str(path))
        if used != usual and tell:
            log.info("%s: columns are separated by %s.", path, name_of(used))
    # Tab-separated files seldom have quotes, and one in a text would swallow the lines behind it:
    # they count where the header has some.
    quotes = kind_of(path) != ".tsv" or head.startswith('"')
    first = parsed(io.StringIO(head), str(path), used, quotes=quotes, nrows=0)
    header = list(first.columns)
    check_columns(path, header, wanted, told)
    return TableFile(path, header, used, quotes, encoding, tell)


def read_texts(
    path: Path,
    wanted: Sequence[tuple[str, str]],
    separator: str | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Return a csv, tsv, jsonl or parquet file with every field of csv and tsv as text.

    Args:
        path: of the file.
        wanted: pairs of an argument and the column that it names.
        separator: see ``open_table``.
        encoding: of csv, tsv and jsonl.

    Raises:
        DataError: the file cannot be read, or lacks a column.
    """
    if kind_of(path) != ".jsonl":
        return open_table(path, wanted, separator, encoding).texts()
    content = decoded(path, encoding).removeprefix("\ufeff")
    try:
        table = pd.read_json(io.StringIO(content), lines=True, dtype=False)
    except ValueError as error:
        raise DataError(f"{path} cannot be read as jsonl: {error}") from error
    check_columns(path, [str(name) for name in table.columns], wanted)
    return table


def place_of(
    row: int,
    path: Path,
    wanted: Sequence[tuple[str, str]],
    separator: str | None = None,
    encoding: str = "utf-8",
) -> str:
    """Return where a row (from 0) that ``read_texts`` has read stands, for messages.

    Args:
        row: its number, from 0.
        path: of the file; all others as they were given to ``read_texts``.
        wanted: see there.
        separator: see there.
        encoding: see there.
    """
    if kind_of(path) == ".jsonl":
        return line_of_json(decoded(path, encoding), row)
    return open_table(path, wanted, separator, encoding, tell=False).place(row)


def _has_commas(column: "pd.Series[Any]") -> bool:
    """Return whether all fields are numbers, and some have a decimal comma."""
    if column.dtype.kind in "fiub":
        return False
    given = column.dropna().astype(str)
    return bool(given.str.contains(",").any() and given.str.fullmatch(COMMA_NUMBER).all())
