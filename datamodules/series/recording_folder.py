"""A folder with a csv file for each recording, and a file of their labels."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rnnrepair.datamodules.files import kind_of
from rnnrepair.datamodules.series.raw import RawSeries, check_parts, label_names
from rnnrepair.datamodules.series.tables import (
    Columns,
    as_written,
    check_numbers,
    open_series_table,
)
from rnnrepair.datamodules.table_columns import named_columns
from rnnrepair.errors import DataError

log = logging.getLogger(__name__)

LABEL_FILE = "labels.csv"
TABLES = (".csv", ".tsv")


def read_folder(path: Path, columns: Columns, labels: Path | None = None) -> RawSeries:
    """Read a folder of recordings.

    The file of labels has a column ``columns.id`` with the names of the files (with or without
    their ending), one of labels and, where they are named, of splits and groups. The files of the
    recordings have a column for each channel, a row for each step in the order of time; a column
    ``columns.time`` is left out.

    Args:
        path: of the folder.
        columns: how the columns are called.
        labels: file of the labels; None takes ``labels.csv`` in the folder.

    Raises:
        DataError: a file or a column is missing, or a recording has other channels than the first.
    """
    labels = path / LABEL_FILE if labels is None else labels
    if not labels.is_file():
        raise DataError(
            f"{labels} does not exist: write a table there with the columns {columns.id!r} (name "
            f"of a file) and {columns.label!r}, or set labels."
        )
    named = [("id_column", columns.id), ("label_column", columns.label)]
    named += [] if columns.split is None else [("split_column", columns.split)]
    named += [(argument, name) for name, argument in columns.more.items()]
    of_labels = open_series_table(labels, columns, named)
    names = columns.texts_in(of_labels.header)
    table = of_labels.numbers([name for _, name in named], (), names)
    for name in columns.of_recordings():
        table[name] = as_written(table[name])
    table = table.sort_values(columns.id, key=lambda names: names.astype(str))
    ids = [str(name) for name in table[columns.id].tolist()]
    twice = (
        sorted({name for name in ids if ids.count(name) > 1}) if len(set(ids)) < len(ids) else []
    )
    if twice:
        raise DataError(f"{labels}: {twice[:3]} stand there several times: give each one row.")
    files = [_file(path, name, labels) for name in ids]
    _tell_unlabelled(path, files, labels)
    values, channels = [], list(columns.channels or ())
    for number, file in enumerate(files):
        wanted = [("channels", name) for name in channels]
        opened = open_series_table(file, columns, wanted, tell=number == 0)
        here = named_columns(file, [name for name in opened.header if name != columns.time])
        channels = channels or here
        if columns.channels is None and set(here) != set(channels):
            raise DataError(
                f"{file} has the channels {here}, and {files[0]} {channels}: give all recordings "
                "the same, or name those that are wanted (channels=[...])."
            )
        timed = [columns.time] if columns.time in opened.header else []
        recording = opened.numbers([*timed, *channels], [*timed, *channels])
        if len(recording) == 0:
            raise DataError(f"{file} holds no steps: remove it from {labels}.")
        check_numbers(recording, channels, opened)
        if timed and _goes_back(recording[columns.time]):
            raise DataError(
                f"{file}: {columns.time!r} goes back from one row to the next: sort the rows by "
                "time."
            )
        values.append(recording[channels].to_numpy(dtype=np.float32, na_value=np.nan))
    own = {name: table[name].to_numpy() for name in columns.of_recordings()}
    part = None
    if columns.split is not None:
        part = check_parts(own[columns.split], str(labels), columns.split)
    return RawSeries(
        np.concatenate(values),
        np.r_[0, np.cumsum([len(part) for part in values])].astype(np.int64),
        label_names(own[columns.label], str(labels), lambda row: f"recording {ids[row]!r}"),
        channels,
        columns={name: own[name] for name in columns.more} | {columns.id: np.array(ids)},
        part=part,
    )


def _goes_back(time: "pd.Series[Any]") -> bool:
    """Return whether times fall from one row to the next; of dates in any form nobody can tell."""
    return time.dtype.kind in "fiu" and not time.dropna().is_monotonic_increasing


def _file(folder: Path, name: str, labels: Path) -> Path:
    for file in (folder / name, *(folder / f"{name}{end}" for end in TABLES)):
        if file.is_file():
            return file
    raise DataError(f"{labels} names {name!r}, and {folder} holds no such file.")


def _tell_unlabelled(folder: Path, files: list[Path], labels: Path) -> None:
    there = {file for file in folder.iterdir() if kind_of(file) in TABLES} - {*files, labels}
    if there:
        log.warning(
            "%s: %d files are named in %s by no row and left out, such as %s.",
            folder,
            len(there),
            labels.name,
            min(there).name,
        )
