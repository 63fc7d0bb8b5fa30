"""The record of a run as files: ``record/record.json`` and ``record/arrays.npz``.

Loading runs no code. The arrays are whole numbers from 0 on, in the smallest type that holds them.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnnrepair.atomic import write_folder
from rnnrepair.errors import IncompatibleCheckpointError

VERSION = 1
FOLDER = "record"
TOLD, ARRAYS = "record.json", "arrays.npz"
_AGAIN = "Make the run again with this version, or move its folder away."


def is_in(run_folder: Path) -> bool:
    """Return whether the folder of a run holds a record."""
    return (run_folder / FOLDER / TOLD).is_file()


def write(run_folder: Path, record: Any, tensors: Mapping[str, Tensor]) -> None:
    """Write a record into the folder of a run; it appears whole or not at all.

    Args:
        run_folder: of the run.
        record: data class of data classes, mappings, lists and plain values; its tensors are left
            out.
        tensors: those, by name.
    """
    arrays: dict[str, Any] = {name: smallest(t.numpy()) for name, t in tensors.items()}
    with write_folder(run_folder / FOLDER) as draft:
        with (draft / ARRAYS).open("wb") as file:
            np.savez_compressed(file, **arrays)
        told = {"version": VERSION, "arrays": _digest(draft / ARRAYS), **_plain(record)}
        (draft / TOLD).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def read(run_folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return what ``record.json`` tells, and the int64 tensors of the arrays.

    Raises:
        IncompatibleCheckpointError: a file is missing, or they are of another version.
    """
    folder = run_folder / FOLDER
    missing = [name for name in (TOLD, ARRAYS) if not (folder / name).is_file()]
    if missing:
        raise IncompatibleCheckpointError(
            f"{run_folder} lacks {' and '.join(f'{FOLDER}/{name}' for name in missing)}: the run "
            f"has not ended, or was made by an older version. {_AGAIN}"
        )
    told = json.loads((folder / TOLD).read_text(encoding="utf-8"))
    version, digest = told.pop("version"), told.pop("arrays")
    if version != VERSION:
        raise IncompatibleCheckpointError(
            f"{folder} is a record of version {version}, this program reads version {VERSION}. "
            f"{_AGAIN}"
        )
    if digest != _digest(folder / ARRAYS):
        raise IncompatibleCheckpointError(
            f"{folder / ARRAYS} is not the file that {TOLD} was written with. {_AGAIN}"
        )
    with np.load(folder / ARRAYS, allow_pickle=False) as file:
        tensors = {name: torch.from_numpy(file[name].astype(np.int64)) for name in file.files}
    return told, tensors


@contextmanager
def refusing_damage(run_folder: Path) -> Iterator[None]:
    """Turn whatever a damaged record makes go wrong into one message.

    Raises:
        IncompatibleCheckpointError: names the folder.
    """
    try:
        yield
    except IncompatibleCheckpointError:
        raise
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError, AttributeError) as error:
        raise IncompatibleCheckpointError(
            f"{run_folder / FOLDER} cannot be read as the record of a run, it is damaged "
            f"({type(error).__name__}: {error}). {_AGAIN}"
        ) from error


def _plain(thing: Any) -> Any:
    """Return what JSON can say of a record."""
    if is_dataclass(thing):
        told = {field.name: getattr(thing, field.name) for field in fields(thing)}
        return {
            name: _plain(value) for name, value in told.items() if not isinstance(value, Tensor)
        }
    if isinstance(thing, Mapping):
        return {name: _plain(value) for name, value in thing.items()}
    return [_plain(value) for value in thing] if isinstance(thing, (list, tuple)) else thing


def smallest(array: np.ndarray) -> np.ndarray:
    """Return whole numbers from 0 on in the smallest unsigned type that holds them."""
    return array.astype(np.min_scalar_type(int(array.max(initial=0))))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
