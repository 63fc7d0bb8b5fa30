"""The index of frames and series: what is read by position must not stand in another order."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from rnnrepair.errors import DataError


def refuse_other_order(given: Mapping[str, Any], group: Any, columns: Any) -> None:
    """Refuse frames and series whose rows have the index of those of x, in another order.

    Whoever shuffles a frame keeps the index, and takes what belongs together by it; entries are
    read one after another here. Objects of another index, or without one, are taken as they come.

    Args:
        given: by argument: x, and what has an entry for each sequence of it; those of the test set
            end with ``_test``.
        group: entries of x, then x_test.
        columns: the same of each column: a frame, a mapping of series, anything else.

    Raises:
        DataError: names the argument, and what to write.
    """
    for of in ("", "_test"):
        x = _index(given[f"x{of}"])
        for name, values in given.items():
            if name.endswith("_test") == bool(of):
                _refuse(x, f"x{of}", _index(values), name)
    parts = [_index(given[name]) for name in ("x", "x_test") if given[name] is not None]
    known = [index for index in parts if index is not None]
    every = known[0].append(known[1:]) if known and len(known) == len(parts) else None
    both = {"group": group, "columns": columns}
    if isinstance(columns, Mapping):
        both |= {f"columns[{name!r}]": values for name, values in columns.items()}
    for name, values in both.items():
        _refuse(every, "x, then x_test," if len(parts) > 1 else "x", _index(values), name)


def _index(values: Any) -> pd.Index | None:
    return values.index if isinstance(values, pd.DataFrame | pd.Series) else None


def _refuse(x: pd.Index | None, x_name: str, index: pd.Index | None, name: str) -> None:
    if x is None or index is None or len(x) != len(index) or x.equals(index):
        return
    if not (x.is_unique and index.is_unique and bool(x.isin(index).all())):
        return
    place = int((x != index).argmax())
    raise DataError(
        f"{name} has the index of {x_name} in another order ({index[place]!r} instead of "
        f"{x[place]!r} at position {place}), and entries are read one after another: give "
        f"{name}.loc[...] in that order, or, if they are in order, reset_index(drop=True) of all."
    )
