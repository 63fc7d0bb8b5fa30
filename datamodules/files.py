"""Files as bytes and as text, with errors that say where they are damaged."""

import codecs
import gzip
from pathlib import Path

from rnnrepair.errors import DataError


def kind_of(path: Path) -> str:
    """Return the suffix that says how to read a file, in small letters and without ``.gz``."""
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix == ".gz" else suffix


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, unpacked where it is gzipped.

    Raises:
        DataError: the archive is damaged, for example half downloaded.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix.lower() == ".gz" else content
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path}: correct the path.") from error
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path} cannot be read ({error}): download it again.") from error


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


def known_encoding(encoding: str) -> str | None:
    """Return what is wrong with the name of an encoding (a rule, see ``check_settings``)."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        return f"{encoding!r} is unknown: take utf-8, latin-1, cp1252, ..."
    return None
