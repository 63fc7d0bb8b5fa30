"""The one reader of tables: csv with any separator, tsv, jsonl and parquet."""

import codecs
import csv
import gzip
import io
import logging
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from rnnrepair.datamodules.files import decode, kind_of, read_bytes
from rnnrepair.datamodules.separators import SEPARATORS, find_separator, name_of, names_in
from rnnrepair.datamodules.table_lines import line_of_json, line_of_row, number_of_row
from rnnrepair.errors import DataError

log = logging.getLogger(__name__)

KINDS = (".csv", ".tsv", ".jsonl", ".parquet")
# Lines by which the separator is found.
HEAD_LINES = 200
# What pandas calls a column whose header is empty, such as the row numbers that it writes itself.
UNNAMED = re.compile(r"Unnamed: \d+")
COMMA_NUMBER = r"\s*[-+]?(\d+(,\d*)?|,\d+)([eE][-+]?\d+)?\s*"
_NEEDS_PYARROW = "{}: parquet needs pyarrow: pip install pyarrow."


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
            return _parquet(self.path)
        content = _decoded(self.path, self.encoding)
        return parse_texts(content, str(self.path), self.separator, quotes=self.quotes)

    def numbers(self, columns: Sequence[str], numeric: Sequence[str]) -> pd.DataFrame:
        """Return some columns, each of the type that its fields have.

        A comma is taken for the decimal sign where it does not separate columns and every field
        of a numeric column is such a number.

        Args:
            columns: that are wanted.
            numeric: those of them that should hold numbers.

        Raises:
            DataError: the file cannot be read, or has rows of more fields than there are columns.
        """
        others = [name for name in self.header if name not in columns]
        if kind_of(self.path) == ".parquet":
            return _parquet(self.path, list(columns))
        table = self._typed(".").drop(columns=others)
        commas = [] if self.separator == "," else [c for c in numeric if _has_commas(table[c])]
        if not commas:
            return table
        if self.tell:
            log.info("%s: numbers have a decimal comma, as in column %r.", self.path, commas[0])
        again = self._typed(",")
        # Names stay as they were: a class called 1,5 is no number.
        return table.assign(**{name: again[name] for name in numeric})

    def place(self, row: int) -> str:
        """Return where a row (from 0) stands, for messages: its line; of parquet its number."""
        if kind_of(self.path) == ".parquet":
            return number_of_row(row)
        content = _decoded(self.path, self.encoding)
        return line_of_row(content, row, self.separator, quotes=self.quotes)

    def _typed(self, decimal: str) -> pd.DataFrame:
        """Return the table with numbers where pandas sees some."""
        # Only empty fields and NaN are missing: names such as NA or null are names.
        missing = ["", "NaN", "nan", "?"]
        how = {"na_values": missing, "decimal": decimal, "encoding": self.encoding}
        read = partial(
            _parsed, self.path, str(self.path), self.separator, quotes=self.quotes, **how
        )
        try:
            try:
                return read()
            except pd.errors.DtypeWarning:
                # Pieces of the file differ: one and the same id would be 5 here and "5" there.
                return read(low_memory=False)
        except UnicodeDecodeError:
            _decoded(self.path, self.encoding)  # says in which line
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
        header = _schema(path)
        check_columns(path, header, wanted, told)
        return TableFile(path, header)
    head = _head(path, encoding)
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
    first = _parsed(io.StringIO(head), str(path), used, quotes=quotes, nrows=0)
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
    try:
        table = pd.read_json(io.StringIO(_decoded(path, encoding)), lines=True, dtype=False)
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
        return line_of_json(_decoded(path, encoding), row)
    return open_table(path, wanted, separator, encoding, tell=False).place(row)


def parse_texts(
    content: str, name: str, separator: str = ",", *, quotes: bool = True
) -> pd.DataFrame:
    """Return the table that a text holds, every field as text.

    Raises:
        DataError: the content is cut, empty, or has rows of more fields than there are columns.
    """
    source = io.StringIO(content)
    return _parsed(source, name, separator, quotes=quotes, na_values=[""], dtype=str)


def check_columns(
    path: Path,
    header: Sequence[str],
    wanted: Sequence[tuple[str, str]],
    told: Sequence[tuple[str, str]] = (),
) -> None:
    """Refuse a table without the columns that are named.

    Args:
        path: of the table.
        header: columns that it has.
        wanted: pairs of an argument and the column that it names.
        told: see ``open_table``.

    Raises:
        DataError: names the arguments, the columns and those there are.
    """
    if any(column not in header for _, column in wanted):
        missing = [
            (argument, column) for argument, column in [*told, *wanted] if column not in header
        ]
        shown = ", ".join(map(repr, header[:12])) + (", ..." if len(header) > 12 else "")
        columns = " and no column ".join(repr(column) for _, column in missing)
        arguments = [argument for argument, _ in missing]
        if len(header) == 1 and kind_of(path) != ".parquet":
            arguments.append("separator")
        raise DataError(
            f"{path} has no column {columns}, it has {shown}: set {' and '.join(arguments)}."
        )


def named_columns(path: Path, header: Sequence[str]) -> list[str]:
    """Return the columns that have a name; says which are left out."""
    unnamed = [i + 1 for i, name in enumerate(header) if not name or UNNAMED.fullmatch(name)]
    if unnamed:
        log.warning(
            "%s: columns without a name are left out (number %s): row numbers are no data.",
            path,
            ", ".join(map(str, unnamed)),
        )
    return [name for i, name in enumerate(header) if i + 1 not in unnamed]


def _parsed(
    source: Path | io.StringIO, name: str, separator: str, *, quotes: bool, **options: Any
) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            warnings.simplefilter("error", pd.errors.DtypeWarning)
            # Without index_col pandas takes the first field of longer rows for a name of the row;
            # with usecols it would drop what a row has too many.
            table = pd.read_csv(
                source,
                sep=separator,
                quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
                keep_default_na=False,
                index_col=False,
                **options,
            )
    except UnicodeDecodeError:
        raise
    except (ValueError, pd.errors.ParserWarning) as error:
        raise DataError(
            f"{name} cannot be read as a table ({str(error).strip()}): it may be cut, have fields "
            f"that hold the separator ({name_of(separator)}) and are not in quotes, or another "
            "separator (set separator)."
        ) from error
    names = names_in([str(column) for column in table.columns])
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DataError(f"{name} has several columns {twice[0]!r}: give each a name of its own.")
    return table.set_axis(names, axis=1)


def _has_commas(column: "pd.Series[Any]") -> bool:
    """Return whether all fields are numbers, and some have a decimal comma."""
    if column.dtype.kind in "fiub":
        return False
    given = column.dropna().astype(str)
    return bool(given.str.contains(",").any() and given.str.fullmatch(COMMA_NUMBER).all())


def _decoded(path: Path, encoding: str) -> str:
    content = read_bytes(path)
    # What spreadsheets call Unicode text begins with a mark of the order of its bytes.
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    likely = "utf-16" if marked else "latin-1"
    return decode(content, str(path), encoding, f", or name its encoding (encoding={likely})")


def _head(path: Path, encoding: str) -> str:
    """Return the first lines of a file, without a mark of the order of bytes."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding=encoding, newline="") as file:
            return "".join(islice(file, HEAD_LINES)).removeprefix("\ufeff")
    except UnicodeDecodeError:
        _decoded(path, encoding)  # says in which line
        raise
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path} cannot be read ({error}): download it again.") from error


def _parquet(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, columns=columns)
    except ImportError as error:
        raise DataError(_NEEDS_PYARROW.format(path)) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table ({error}).") from error


def _schema(path: Path) -> list[str]:
    try:
        from pyarrow.parquet import read_schema  # parquet alone needs it

        return [str(name) for name in read_schema(path).names]
    except ImportError as error:
        raise DataError(_NEEDS_PYARROW.format(path)) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table ({error}).") from error
