"""Long tables: a row for each step of each recording."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from rnnrepair.datamodules.series.raw import RawSeries, check_parts, label_names
from rnnrepair.datamodules.series.tables import (
    NUMBER,
    WHOLE,
    Columns,
    as_written,
    check_numbers,
    open_series_table,
)
from rnnrepair.datamodules.table_columns import named_columns
from rnnrepair.datamodules.tables import TableFile
from rnnrepair.errors import DataError

log = logging.getLogger(__name__)

# Steps of a recording that differ by more than this factor speak of two units of time.
MIXED_UNITS = 100.0
# From so many steps on, quarters of them say something of a recording.
MANY_STEPS = 4


def read_long(path: Path, columns: Columns) -> RawSeries:
    """Read a table with columns for recording, time, label and every channel.

    Rows may come in any order: recordings are sorted by their ids, their steps by time.

    Args:
        path: of a csv, tsv or parquet file.
        columns: how the columns are called.

    Raises:
        DataError: a column is missing, a pair of id and time stands twice or is missing, a label
            (or split, or group) changes within a recording, or times are in several units.
    """
    named = [("id_column", columns.id), ("time_column", columns.time)]
    named += [("label_column", columns.label)]
    named += [] if columns.split is None else [("split_column", columns.split)]
    named += [("group, test_by or columns", name) for name in columns.more]
    named += [("channels", name) for name in columns.channels or ()]
    file = open_series_table(path, columns, named)
    apart = {columns.id, columns.time, *columns.of_recordings()}
    others = [name for name in file.header if name not in apart]
    channels = list(columns.channels or named_columns(path, others))
    if not channels:
        raise DataError(f"{path} has no channel beside {sorted(apart)}.")
    used = [name for name in file.header if name in {*apart, *channels}]
    texts = columns.texts_in(file.header)
    table = file.numbers(used, [columns.time, *channels], texts)
    for name in texts:
        table[name] = as_written(table[name], WHOLE if name == columns.id else NUMBER)
    if len(table) == 0:
        raise DataError(f"{path} holds no rows.")
    check_numbers(table, channels, file)
    number, names = pd.factorize(table[columns.id], sort=True)
    time = _times(table[columns.time], file, columns.time)
    _check_keys(number, table, file, columns)
    order = _in_time(number, time, file)
    number, time = number[order], time[order]
    _check_times(number, time, names, path)
    first = np.flatnonzero(np.r_[True, number[1:] != number[:-1]])
    needed = {columns.label, columns.split}
    own = {
        name: _one_each(table[name], order, number, names, path, name in needed)
        for name in dict.fromkeys(columns.of_recordings())
    }
    values = np.empty((len(table), len(channels)), dtype=np.float32)
    for place, name in enumerate(channels):
        values[:, place] = table[name].to_numpy(dtype=np.float32, na_value=np.nan)[order]
    part = None
    if columns.split is not None:
        part = check_parts(own[columns.split], str(path), columns.split)
    return RawSeries(
        values,
        np.r_[first, len(number)].astype(np.int64),
        label_names(own[columns.label], str(path), lambda row: f"recording '{names[row]}'"),
        channels,
        columns={name: own[name] for name in columns.more} | {columns.id: np.asarray(names)},
        part=part,
    )


def _times(column: "pd.Series[object]", file: TableFile, name: str) -> np.ndarray:
    """Return the (S,) times as numbers; dates become seconds."""
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


def _check_keys(number: np.ndarray, table: pd.DataFrame, file: TableFile, columns: Columns) -> None:
    wrong = (number < 0) | table[columns.time].isna().to_numpy()
    if wrong.any():
        raise DataError(
            f"{file.path}: {int(wrong.sum())} rows have no {columns.id!r} or no {columns.time!r}, "
            f"the first is {file.place(int(wrong.argmax()))}: remove them."
        )


def _in_time(number: np.ndarray, time: np.ndarray, file: TableFile) -> np.ndarray:
    """Return the order by recording, then time; says so where times went backwards."""
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


def _check_times(number: np.ndarray, time: np.ndarray, names: pd.Index, path: Path) -> None:
    """Refuse times that stand twice in a recording, or are in several units."""
    same = number[1:] == number[:-1]
    distance = np.diff(time)
    twice = same & (distance == 0)
    if twice.any():
        row = int(twice.argmax())
        raise DataError(
            f"{path}: recording '{names[number[row]]}' has {int(twice.sum())} steps twice or more "
            f"often, the first at time {time[row]:g}: give each step one row, or another id."
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


def _one_each(
    column: "pd.Series[object]",
    order: np.ndarray,
    number: np.ndarray,
    names: pd.Index,
    path: Path,
    needed: bool,
) -> np.ndarray:
    """Return the (N,) values of a column that has one value a recording.

    Rows without one have that of the others of the recording; where none has one, it is None.

    Args:
        column: of all rows.
        order: rows by recording and time.
        number: recordings of the rows in that order.
        names: of the recordings.
        path: of the file.
        needed: whether every row must have a value.

    Raises:
        DataError: a recording has several values, or one that is needed is missing.
    """
    code, found = pd.factorize(column)
    code = code[order]
    if needed and (code < 0).any():
        raise DataError(
            f"{path}: {column.name!r} is missing in {int((code < 0).sum())} rows, the first in "
            f"recording '{names[number[int((code < 0).argmax())]]}': every recording needs one."
        )
    has_one = code >= 0
    number, code = number[has_one], code[has_one]
    changes = (number[1:] == number[:-1]) & (code[1:] != code[:-1])
    if changes.any():
        row = int(changes.argmax())
        raise DataError(
            f"{path}: {column.name!r} changes within recording '{names[number[row]]}', from "
            f"'{found[code[row]]}' to '{found[code[row + 1]]}': expected one value a recording; "
            "cut it into recordings of one."
        )
    values = np.full(len(names), None, dtype=object)
    values[number] = np.asarray(found, dtype=object)[code]
    return np.asarray(found)[code[np.unique(number, return_index=True)[1]]] if needed else values
