"""The file that a run leaves of its test items: what each was predicted as, before and after."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from rnnrepair.atomic import write_file
from rnnrepair.errors import DataError

ITEMS_FILE = "items.npz"


@dataclass(frozen=True, eq=False)
class ItemPredictions:
    """Predictions of the items of one test split.

    Attributes:
        index: (N,) int, ascending.
        label: (N,) int.
        before: (N,) int, class predicted by the unrepaired network.
        after: (N,) int, class predicted by the final network.
    """

    index: np.ndarray
    label: np.ndarray
    before: np.ndarray
    after: np.ndarray

    def __post_init__(self) -> None:
        """Refuse what could not be paired with other runs.

        Raises:
            DataError: unlike lengths, nothing in it, negative numbers or an index out of order.
        """
        shapes = {name: array.shape for name, array in self.arrays().items()}
        if len(set(shapes.values())) > 1 or self.index.ndim != 1 or not len(self.index):
            raise DataError(
                f"Items need four arrays of one shape (N,) with N > 0, got {shapes}: give the "
                "labels and predictions of the same test items."
            )
        if (np.diff(self.index) <= 0).any():
            raise DataError(
                "Items must stand in ascending order of index, each once: sort them before "
                "writing, as rnnrepair.repair.predict does."
            )
        negative = [name for name, array in self.arrays().items() if array.min() < 0]
        if negative:
            raise DataError(f"Items hold indices and classes from 0 on, got less in {negative}.")

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def smallest(array: np.ndarray) -> np.ndarray:
    """Return whole numbers from 0 on in the smallest unsigned type that holds them."""
    return array.astype(np.min_scalar_type(int(array.max())))


def write_items(path: Path, splits: Mapping[str, ItemPredictions]) -> None:
    """Write the items of a run, ``test`` and any further test splits, in one step.

    Raises:
        DataError: there is no ``test``, or a name has a slash.
    """
    if "test" not in splits or any("/" in name for name in splits):
        raise DataError(
            f"The items of a run are those of 'test' and of further test splits, whose names have "
            f"no slash, got {sorted(splits)}: name the main test split 'test'."
        )
    arrays: dict[str, Any] = {
        f"{split}/{name}": smallest(array)
        for split, items in splits.items()
        for name, array in items.arrays().items()
    }
    with write_file(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_items(path: Path) -> dict[str, ItemPredictions]:
    """Return the items of a run by test split, as int64.

    Raises:
        DataError: the file is missing, damaged or not made by ``write_items``.
    """
    if not path.is_file():
        raise DataError(
            f"{path} is missing: the run was made by an older version, which kept no predictions "
            "of its test items. Make the run again, or move its folder away."
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key].astype(np.int64) for key in file.files}
        splits = {key.partition("/")[0] for key in arrays}
        names = [field.name for field in fields(ItemPredictions)]
        items = {
            split: ItemPredictions(*(arrays[f"{split}/{name}"] for name in names))
            for split in sorted(splits)
        }
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DataError(
            f"{path} is not a file of test items as write_items makes it ({error}): make the run "
            "again, or move its folder away."
        ) from error
    if "test" not in items:
        raise DataError(f"{path} holds {sorted(items)}, but no 'test': make the run again.")
    return items
