"""The items of a user's data sets, numbered through."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from torch.utils.data import DataLoader, IterableDataset

from rnnrepair.errors import DataError


class Items:
    """Items of several map-style data sets, one behind the other."""

    def __init__(self, parts: Mapping[str, Any], called: Callable[[str, int], str]) -> None:
        """Take the data sets by name.

        Args:
            parts: the data sets.
            called: what messages call an item: of a data set by its name, and the number there.

        Raises:
            DataError: one that has no length or no index, or is empty.
        """
        for name, part in parts.items():
            _check(name, part)
        self.parts = dict(parts)
        self._called = called
        self._names, self._datasets = list(parts), list(parts.values())
        self._ends = list(accumulate(len(part) for part in self._datasets))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Any:
        """Return an item.

        Raises:
            DataError: the data set raised something; names the item.
        """
        part = bisect_right(self._ends, index)
        own = index - (self._ends[part - 1] if part else 0)
        try:
            return self._datasets[part][own]
        except Exception as error:
            raise DataError(
                f"Item {own} of {self._names[part]} raised {type(error).__name__}: {error}. Every "
                "index from 0 on must give an item: mend the data set, or leave that item out."
            ) from error

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def many(self, index: Sequence[int]) -> list[Any]:
        """Return some items; all at once where one data set holds them and gives several."""
        fetch = getattr(self._datasets[0], "__getitems__", None)
        if fetch is not None and index and max(index) < self._ends[0]:
            return list(fetch(list(index)))
        return [self[i] for i in index]

    def place(self, index: int) -> str:
        """Say which item it is."""
        part = bisect_right(self._ends, index)
        return self._called(self._names[part], index - (self._ends[part - 1] if part else 0))


def _check(name: str, part: Any) -> None:
    kind = type(part).__name__
    if isinstance(part, DataLoader):
        raise DataError(
            f"{name} is a DataLoader, and the data set in it is needed: give "
            f"{name}=loader.dataset, with its batch_size and collate_fn."
        )
    if isinstance(part, IterableDataset) or not all(
        hasattr(part, method) for method in ("__len__", "__getitem__")
    ):
        raise DataError(
            f"{name} is {kind}, which has no length and no index; both are needed to find the "
            f"samples behind a failure again: give {name}=list(dataset) if it fits into memory, or "
            "write a Dataset with __len__ and __getitem__."
        )
    try:
        empty = len(part) == 0
    except (TypeError, NotImplementedError) as error:
        raise DataError(
            f"{name} is {kind}, which has no length ({error}): give it __len__."
        ) from error
    if empty:
        raise DataError(f"{name} is empty: expected one item at least.")
