"""The content of table files: decoded, and parsed by pandas with nothing cut silently."""

import codecs
import csv
import gzip
import io
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from rnnrepair.datamodules.files import decode, read_bytes
from rnnrepair.datamodules.separators import name_of, names_in
from rnnrepair.errors import DataError

# Lines by which the separator is found.
HEAD_LINES = 200
_NEEDS_PYARROW = "{}: parquet needs pyarrow: pip install pyarrow."


def parse_texts(
    content: str, name: str, separator: str = ",", *, quotes: bool = True
) -> pd.DataFrame:
    """Return the table that a text holds, every field as text.

    Raises:
        DataError: the content is cut, empty, or has rows of more fields than there are columns.
    """
    source = io.StringIO(content)
    return parsed(source, name, separator, quotes=quotes, na_values=[""], dtype=str)


def parsed(
    source: Path | io.StringIO, name: str, separator: str, *, quotes: bool, **options: Any
) -> pd.DataFrame:
    """Return what pandas reads of csv or tsv, whole.

    Args:
        source: file or text.
        name: what messages call it.
        separator: between two fields.
        quotes: whether quotes hold a field together.
        **options: of ``pandas.read_csv``.

    Raises:
        DataError: a row has more fields than there are columns, or a name stands twice.
        pandas.errors.DtypeWarning: pieces of the file differ in type; see ``low_memory``.
        UnicodeDecodeError: bytes of another encoding; ``decoded`` says where.
    """
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
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{name} is empty: expected a line of column names and rows.") from error
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


def decoded(path: Path, encoding: str) -> str:
    """Return the text of a file.

    Raises:
        DataError: it is damaged, or of another encoding; says in which line, and what may be it.
    """
    content = read_bytes(path)
    # What spreadsheets call Unicode text begins with a mark of the order of its bytes.
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    likely = "utf-16" if marked else "latin-1"
    return decode(content, str(path), encoding, f", or name its encoding (encoding={likely})")


def head_of(path: Path, encoding: str) -> str:
    """Return the first lines of a file, without a mark of the order of bytes.

    Raises:
        DataError: see ``decoded``.
    """
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding=encoding, newline="") as file:
            return "".join(islice(file, HEAD_LINES)).removeprefix("\ufeff")
    except UnicodeDecodeError:
        decoded(path, encoding)  # says in which line
        raise
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path}: correct the path.") from error
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path} cannot be read ({error}): download it again.") from error


def read_parquet(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Return all or some columns of a parquet file.

    Raises:
        DataError: it cannot be read, or pyarrow is not installed.
    """
    try:
        return pd.read_parquet(path, columns=columns)
    except ImportError as error:
        raise DataError(_NEEDS_PYARROW.format(path)) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table ({error}).") from error


def parquet_header(path: Path) -> list[str]:
    """Return the names of the columns of a parquet file; see ``read_parquet``."""
    try:
        from pyarrow.parquet import read_schema  # parquet alone needs it

        return [str(name) for name in read_schema(path).names]
    except ImportError as error:
        raise DataError(_NEEDS_PYARROW.format(path)) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table ({error}).") from error
