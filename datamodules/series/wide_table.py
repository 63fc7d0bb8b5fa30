"""Wide tables: a row for each recording of one channel, a column for each step."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rnnrepair.datamodules.series.raw import RawSeries, check_parts, label_names
from rnnrepair.datamodules.series.tables import (
    Columns,
    as_written,
    check_numbers,
    open_series_table,
)
from rnnrepair.datamodules.table_columns import named_columns
from rnnrepair.errors import DataError
from rnnrepair.sequences import SampleNames

log = logging.getLogger(__name__)

# A column puts rows into groups where it has so many values, and each so many rows on average.
GROUPS, ROWS_OF_ONE = 10, 3
# Columns of which it is told whether their names are values.
FEW_STEPS = 3
# Share of the names that lie between the least and the largest value of their columns.
LIKE_VALUES = 0.6


def read_wide(path: Path, columns: Columns) -> RawSeries:
    """Read a table whose columns, beside those that are named, are the steps in their order.

    A recording ends before its tail of empty fields.

    Args:
        path: of a csv, tsv or parquet file.
        columns: how the columns are called; ``channels`` names the steps, None takes all others.

    Raises:
        DataError: a column is missing or holds no numbers, a row has no step, or a recording
            several rows.
    """
    named = [("label_column", columns.label)]
    named += [] if columns.split is None else [("split_column", columns.split)]
    named += [(argument, name) for name, argument in columns.more.items()]
    named += [("channels", name) for name in columns.channels or ()]
    file = open_series_table(path, columns, named)
    apart = {columns.id, *columns.of_recordings()}
    others = [name for name in file.header if name not in apart]
    steps = list(columns.channels or named_columns(path, others))
    if not steps:
        raise DataError(f"{path} has no steps beside {sorted(apart)}.")
    more = [*columns.more, *([columns.id] if columns.id in file.header else [])]
    names = columns.texts_in(file.header)
    wanted = [*dict.fromkeys([*columns.of_recordings(), *more]), *steps]
    table = file.numbers(wanted, steps, names)
    for name in names:
        table[name] = as_written(table[name])
    if columns.id in more:
        _refuse_long(table[columns.id], others, columns, path)
    _tell_steps(steps, columns, path)
    wide = f" (without a column {columns.time!r} the table is wide: its columns are steps)"
    check_numbers(table, steps, file, wide)
    values = table[steps].to_numpy(dtype=np.float32, na_value=np.nan)
    if columns.channels is None:
        _refuse_headerless(steps, values, path)
        _refuse_grouped(values, steps, columns, path)
    known = ~np.isnan(values)
    if not known.any(1).all():
        row = int((~known.any(1)).argmax())
        raise DataError(f"{path}: {file.place(row)} holds no value: remove it.")
    lengths = values.shape[1] - known[:, ::-1].argmax(1)
    own = {name: table[name].to_numpy() for name in [*columns.of_recordings(), *more]}
    part = None
    if columns.split is not None:
        part = check_parts(own[columns.split], str(path), columns.split)
    return RawSeries(
        values[np.arange(values.shape[1]) < lengths[:, None]][:, None],
        np.r_[0, np.cumsum(lengths)].astype(np.int64),
        label_names(own[columns.label], str(path), file.place),
        columns={name: own[name] for name in more},
        part=part,
        names=None
        if columns.id in more
        else SampleNames(np.arange(len(table)), "row", f"row of {path.name}, from 0"),
    )


def _refuse_headerless(names: Sequence[str], values: np.ndarray, path: Path) -> None:
    """Refuse a table whose first row holds values, which would be lost as names.

    Steps may be called by numbers, such as their times or wavelengths: these rise or fall, are
    whole, or are other numbers than the columns hold.

    Args:
        names: of the k steps.
        values: (N, k).
        path: of the table.

    Raises:
        DataError: shows the row.
    """
    numbers = pd.to_numeric(pd.Series(names, dtype=object), errors="coerce").to_numpy(float)
    steps = np.diff(numbers)
    named = bool((steps > 0).all() or (steps < 0).all() or (numbers == np.round(numbers)).all())
    if len(names) < FEW_STEPS or np.isnan(numbers).any() or named:
        return
    known = ~np.isnan(values).all(0)
    low, high = np.nanmin(values[:, known], 0), np.nanmax(values[:, known], 0)
    within = (numbers[known] >= low) & (numbers[known] <= high)
    if within.mean() < LIKE_VALUES:
        return
    raise DataError(
        f"{path}: the first row holds the numbers {', '.join(names[:4])}, ... and no names, as if "
        "the table had no header: put a row with the names of the columns in front."
    )


def _refuse_long(
    ids: "pd.Series[object]", others: Sequence[str], columns: Columns, path: Path
) -> None:
    """Refuse a table in which a recording has several rows: its times are not found.

    Raises:
        DataError: names the columns that may hold them.
    """
    if ids.duplicated().any():
        raise DataError(
            f"{path}: the table is long, {len(ids)} rows are of {ids.nunique()} recordings by "
            f"{columns.id!r}, and it has no column {columns.time!r}: set time_column to one of "
            f"{list(others[:12])} (where each row is a recording, set another id_column)."
        )


def _refuse_grouped(values: np.ndarray, steps: Sequence[str], columns: Columns, path: Path) -> None:
    """Refuse rows that a column puts into groups, as the id of recordings with a row a step does.

    Raises:
        DataError: names the column.
    """
    for name, column in zip(steps, values.T, strict=True):
        began = 1 + int((column[1:] != column[:-1]).sum())
        # As many values as runs of one value: each has its rows in one place.
        if GROUPS <= began == len(np.unique(column)) <= len(column) / ROWS_OF_ONE:
            raise DataError(
                f"{path} has no column {columns.time!r}, so every row would be a recording of "
                f"{len(steps)} steps; but its {len(column)} rows stand in {began} groups of one "
                f"{name!r} each, as steps of recordings do: set id_column={name} and time_column. "
                "Where each row is a recording, name its steps: channels=[...]."
            )


def _tell_steps(steps: Sequence[str], columns: Columns, path: Path) -> None:
    shown = [*steps[:3], "...", steps[-1]] if len(steps) > 5 else list(steps)
    log.info(
        "%s has no column %r and is read as wide: a recording a row, %d steps (%s). Of a table "
        "with a row for each step, set time_column and id_column.",
        path,
        columns.time,
        len(steps),
        ", ".join(shown),
    )
