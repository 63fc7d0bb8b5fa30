"""Long tables: a row for each step of each recording."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from rnnrepair.datamodules.series.raw import RawSeries, check_parts, label_names
from rnnrepair.datamodules.series.step_times import (
    check_times,
    in_time,
    place_of_time,
    tell_gaps,
    times_of,
)
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
    named += [(argument, name) for name, argument in columns.more.items()]
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
    time = times_of(table[columns.time], file, columns.time)
    _check_keys(number, table, file, columns)
    order = in_time(number, time, file)
    number, time = number[order], time[order]
    when = partial(place_of_time, table[columns.time], order, file)
    check_times(number, time, names, path, when)
    tell_gaps(number, time, names, path, when)
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


def _check_keys(number: np.ndarray, table: pd.DataFrame, file: TableFile, columns: Columns) -> None:
    wrong = (number < 0) | table[columns.time].isna().to_numpy()
    if wrong.any():
        raise DataError(
            f"{file.path}: {int(wrong.sum())} rows have no {columns.id!r} or no {columns.time!r}, "
            f"the first is {file.place(int(wrong.argmax()))}: remove them."
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
