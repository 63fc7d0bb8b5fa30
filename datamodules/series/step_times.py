"""The times of the steps of recordings: read, ordered, and looked through for what is wrong."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from rnnrepair.datamodules.tables import TableFile
from rnnrepair.errors import DataError

log = logging.getLogger(__name__)

# Steps of a recording that differ by more than this factor speak of two units of time.
MIXED_UNITS = 100.0
# From so many steps on, quarters of them say something of a recording.
MANY_STEPS = 4
# Steps are regular where most lie apart as usual, to within a share of that.
REGULAR, MOSTLY = 0.01, 0.9
# A gap is longer than the usual distance by this factor.
GAP = 1.5


def times_of(column: "pd.Series[object]", file: TableFile, name: str) -> np.ndarray:
    """Return the (S,) times as numbers; dates become seconds.

    Args:
        column: of the times.
        file: that it stands in.
        name: of the column.

    Raises:
        DataError: some are neither all numbers nor all dates; says where.
    """
    if column.dtype.kind in "fiu":
        return column.to_numpy(dtype=np.float64)
    given = column.dropna()
    try:
        when = pd.to_datetime(given, format="ISO8601", utc=True)
    except (ValueError, TypeError) as error:
        number = pd.to_numeric(given, errors="coerce")
        wrong = number.isna() if number.notna().any() else _no_date(given)
        row = int(given.index[int(wrong.to_numpy().argmax())])
        raise DataError(
            f"{file.path}: {name!r} holds '{given[row]}' in {file.place(row)}: expected "
            "all numbers in one unit, or all dates such as 2024-01-31T12:00:00."
        ) from error
    times = pd.Series(np.nan, index=column.index, dtype=np.float64)
    times[given.index] = when.to_numpy("datetime64[ns]").astype(np.int64) / 1e9
    return times.to_numpy()


def _no_date(column: "pd.Series[object]") -> "pd.Series[bool]":
    return pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce").isna()


def in_time(number: np.ndarray, time: np.ndarray, file: TableFile) -> np.ndarray:
    """Return the (S,) order by recording, then time; says so where times went backwards.

    Args:
        number: (S,) of the recording of each row.
        time: (S,) of each row.
        file: that they stand in.
    """
    order = np.argsort(number, kind="stable")
    same = number[order[1:]] == number[order[:-1]]
    backwards = same & (time[order[1:]] < time[order[:-1]])
    if not backwards.any():
        return order
    log.warning(
        "%s: times go backwards at %d rows, the first is %s: recordings are sorted by time.",
        file.path,
        int(backwards.sum()),
        file.place(int(order[1:][backwards].min())),
    )
    return np.lexsort((time, number))


def place_of_time(column: "pd.Series[object]", order: np.ndarray, file: TableFile, row: int) -> str:
    """Return the time of a row in order as the file has it, and where that stands.

    Args:
        column: of the times, as read.
        order: see ``in_time``.
        file: that it stands in.
        row: in that order.
    """
    return f"{column.iloc[order[row]]} ({file.place(int(order[row]))})"


def tell_gaps(
    number: np.ndarray,
    time: np.ndarray,
    names: pd.Index,
    path: Path,
    place: Callable[[int], str],
) -> None:
    """Say that regular recordings have gaps, which a network does not see.

    Args:
        number: (S,) of the recording of each row, in order.
        time: (S,) of each row.
        names: of the recordings.
        path: of the file.
        place: says of a row its time, and where that stands.
    """
    same = number[1:] == number[:-1]
    if not same.any():
        return
    # Each in the unit that is usual for its recording.
    distance = pd.Series(np.diff(time)[same])
    distance /= distance.groupby(number[1:][same]).transform("median")
    # Times that vary from step to step have no gaps.
    regular = float(((distance - 1).abs() <= REGULAR).mean()) >= MOSTLY
    gap = distance > GAP
    if not regular or not gap.any():
        return
    first = int(np.flatnonzero(same)[int(gap.to_numpy().argmax())])
    log.warning(
        "%s: %d of %d steps come later after the one before than is usual in their recording, the "
        "first in '%s' after %s. Networks read one row after the other and do not see that rows "
        "are missing: fill them in, or give the distance in time as a channel.",
        path,
        int(gap.sum()),
        len(distance),
        names[number[first]],
        place(first),
    )


def check_times(
    number: np.ndarray,
    time: np.ndarray,
    names: pd.Index,
    path: Path,
    place: Callable[[int], str],
) -> None:
    """Refuse times that stand twice in a recording, or are in several units.

    Args:
        number: see ``tell_gaps``, as the other arguments.
        time: of each row.
        names: of the recordings.
        path: of the file.
        place: says of a row its time, and where that stands.

    Raises:
        DataError: says which recording, and where.
    """
    same = number[1:] == number[:-1]
    distance = np.diff(time)
    twice = same & (distance == 0)
    if twice.any():
        row = int(twice.argmax())
        raise DataError(
            f"{path}: recording '{names[number[row]]}' has {int(twice.sum())} steps twice or more "
            f"often, the first at {place(row)}: give each step one row, or another id."
        )
    if not same.any():
        return
    # A recording in seconds beside one in milliseconds.
    distances = pd.Series(distance[same]).groupby(number[1:][same])
    least = distances.median()
    low, high = float(least.min()), float(least.max())
    if high > MIXED_UNITS * low:
        raise DataError(
            f"{path}: the steps of recording '{names[int(least.idxmin())]}' lie {low:g} apart, "
            f"those of '{names[int(least.idxmax())]}' {high:g}: are the times in several units? "
            "Write them in one; where they are right, number the steps of each recording instead."
        )
    if distance[same].max() <= MIXED_UNITS * distance[same].min():
        return
    # A recording that changes its unit; a pause alone is one long step among many short ones.
    low, high = distances.quantile(0.25), distances.quantile(0.75)
    changes = (high > MIXED_UNITS * low) & (distances.size() >= MANY_STEPS)
    if changes.any():
        which = int(changes.idxmax())
        raise DataError(
            f"{path}: the steps of recording '{names[which]}' lie {low[which]:g} apart here and "
            f"{high[which]:g} there: are its times in several units? Write them in one; where they "
            "are right, number its steps instead."
        )
