"""Wide tables: a row for each recording of one channel, a column for each step."""

from pathlib import Path

import numpy as np

from rnnrepair.datamodules.series.raw import RawSeries, check_parts, label_names
from rnnrepair.datamodules.series.tables import Columns, check_numbers, open_series_table
from rnnrepair.datamodules.tables import named_columns
from rnnrepair.errors import DataError


def read_wide(path: Path, columns: Columns) -> RawSeries:
    """Read a table whose columns, beside those that are named, are the steps in their order.

    A recording ends before its tail of empty fields.

    Args:
        path: of a csv, tsv or parquet file.
        columns: how the columns are called; ``channels`` names the steps, None takes all others.

    Raises:
        DataError: a column is missing or holds no numbers, or a row has no step.
    """
    named = [("label_column", columns.label)]
    named += [] if columns.split is None else [("split_column", columns.split)]
    named += [("group or test_by", name) for name in columns.more]
    named += [("channels", name) for name in columns.channels or ()]
    file = open_series_table(path, columns, named)
    apart = {columns.id, *columns.of_recordings()}
    others = [name for name in file.header if name not in apart]
    steps = list(columns.channels or named_columns(path, others))
    if not steps:
        raise DataError(f"{path} has no steps beside {sorted(apart)}.")
    table = file.numbers([*columns.of_recordings(), *steps], steps)
    check_numbers(table, steps, path)
    values = table[steps].to_numpy(dtype=np.float32, na_value=np.nan)
    known = ~np.isnan(values)
    if not known.any(1).all():
        row = int((~known.any(1)).argmax())
        raise DataError(f"{path}: row {row + 1} holds no value: remove it.")
    lengths = values.shape[1] - known[:, ::-1].argmax(1)
    own = {name: table[name].to_numpy() for name in columns.of_recordings()}
    part = None
    if columns.split is not None:
        part = check_parts(own[columns.split], str(path), columns.split)
    return RawSeries(
        values[np.arange(values.shape[1]) < lengths[:, None]][:, None],
        np.r_[0, np.cumsum(lengths)].astype(np.int64),
        label_names(own[columns.label], str(path)),
        columns={name: own[name] for name in columns.more},
        part=part,
    )
