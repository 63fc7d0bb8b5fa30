"""Files of data sets: found, downloaded with a checksum, decoded with a clear error."""

import gzip
import io
import logging
import warnings
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pandas as pd
from torch.hub import download_url_to_file

from rnnrepair.errors import DataError, MissingDataError

log = logging.getLogger(__name__)


def download(url: str, path: Path) -> Path:
    """Download a file; it appears whole or not at all. Its reader checks what it holds.

    Raises:
        MissingDataError: it cannot be had; names the URL and the folder to put it into.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        log.info("Downloading %s", url)
        download_url_to_file(url, str(path), progress=False)
    except (URLError, OSError, RuntimeError) as error:
        raise MissingDataError(
            f"the download of {url} failed ({error}): put the file into {path.parent.resolve()} by "
            "hand, or set data_dir (or RNNREPAIR_DATA) to the folder that holds it"
        ) from error
    return path


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, unpacked where it is gzipped.

    Raises:
        DataError: the archive is damaged, for example half downloaded.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path} cannot be read ({error}): download it again.") from error


def read_table(content: str, name: str, **options: Any) -> pd.DataFrame:
    """Read comma- or tab-separated values, every field as text.

    Raises:
        DataError: the content is cut, empty, or has rows of more fields than there are columns.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Without index_col pandas takes the first field of longer rows for a name of the row.
            return pd.read_csv(
                io.StringIO(content),
                dtype=str,
                keep_default_na=False,
                na_values=[""],
                index_col=False,
                **options,
            )
    except (ValueError, pd.errors.ParserWarning) as error:
        raise DataError(
            f"{name} cannot be read as a table ({error}): it may be cut, or have texts that hold "
            "the separator and are not in quotes."
        ) from error


def decode(content: bytes, name: str, encoding: str = "utf-8", hint: str = "") -> str:
    """Decode text.

    Args:
        content: bytes.
        name: of the file, for the error.
        encoding: of the file.
        hint: what else can be done about bytes of another encoding.

    Raises:
        DataError: bytes of another encoding; names file and line.
    """
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{name}, line {line}: byte {content[error.start]:#04x} is no {encoding}: convert the "
            f"file{hint}."
        ) from error
