"""The idx file format of MNIST, read with every check that a damaged file deserves."""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rnnrepair.errors import DataError

_UINT8 = 0x08


def find_file(folder: Path, name: str) -> Path | None:
    """Return ``folder/name`` or ``folder/name.gz``, None where neither exists."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    return None


def check_md5(path: Path, expected: str) -> None:
    """Compare a file with its published checksum.

    Raises:
        DataError: they differ.
    """
    found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    if found != expected:
        raise DataError(
            f"{path} has md5 {found}, the official file has {expected}: delete it and download it "
            "again, or set verify_checksum=False if it is meant to be another data set."
        )


def read_idx(path: Path, n_dimensions: int) -> Tensor:
    """Return the unsigned bytes of an idx file, gzipped or not.

    Args:
        path: the file.
        n_dimensions: 3 for images, 1 for labels.

    Raises:
        DataError: not an idx file of bytes with so many dimensions, truncated, or too long.
    """
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} is no complete gzip file ({error}): delete it and download it again."
        ) from error
    header = 4 + 4 * n_dimensions
    magic = bytes([0, 0, _UINT8, n_dimensions])
    if raw[:4] != magic:
        raise DataError(
            f"{path} is no idx file of bytes in {n_dimensions} dimensions: expected it to start "
            f"with {magic.hex()}, found {raw[:4].hex()}: put the official file there."
        )
    if len(raw) < header:
        raise DataError(
            f"{path} is damaged: it ends after {len(raw)} bytes, within its header of {header} "
            "bytes: delete it and download it again."
        )
    shape = tuple(int(n) for n in np.frombuffer(raw[4:header], ">u4"))
    expected = int(np.prod(shape, dtype=np.int64))
    if len(raw) - header != expected:
        raise DataError(
            f"{path} is damaged: its header announces {expected} bytes of data for shape {shape}, "
            f"{len(raw) - header} follow: delete it and download it again."
        )
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=header).reshape(shape).copy())
