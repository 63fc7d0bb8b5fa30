"""Finds the reader of a path."""

from pathlib import Path

from rnnrepair.datamodules.files import kind_of
from rnnrepair.datamodules.series.array_files import read_npy, read_npz
from rnnrepair.datamodules.series.long_table import read_long
from rnnrepair.datamodules.series.raw import RawSeries
from rnnrepair.datamodules.series.recording_folder import read_folder
from rnnrepair.datamodules.series.tables import SUFFIXES, Columns, open_series_table
from rnnrepair.datamodules.series.ts_file import read_ts
from rnnrepair.datamodules.series.wide_table import read_wide
from rnnrepair.errors import DataError


def read_series(path: Path, columns: Columns, labels: Path | None = None) -> RawSeries:
    """Read series from whatever a path leads to.

    A table with a column for time is long, any other wide; one whose ids repeat is refused then. A
    folder is one of ``.ts`` files where it holds some, and one of recordings otherwise.

    Args:
        path: of a file or a folder.
        columns: how columns of tables are called.
        labels: file of labels, of ``.npy`` and folders of recordings.

    Raises:
        DataError: there is nothing there, or what is there cannot be read.
    """
    if path.is_dir():
        return read_ts(path) if any(path.glob("*.ts")) else read_folder(path, columns, labels)
    if not path.is_file():
        raise DataError(f"{path.resolve()} does not exist: set path.")
    kind = kind_of(path)
    if kind == ".ts":
        return read_ts(path)
    if kind == ".npz":
        return read_npz(path, columns.split, list(columns.more))
    if kind == ".npy":
        return read_npy(path, labels)
    if kind in SUFFIXES:
        long = [("id_column", columns.id), ("time_column (both of a long table)", columns.time)]
        wanted = [("label_column", columns.label)]
        file = open_series_table(path, columns, wanted, told=long, tell=False)
        return (read_long if columns.time in file.header else read_wide)(path, columns)
    raise DataError(
        f"{path}: expected a folder, or a file that ends in .ts, .npz, .npy or one of "
        f"{list(SUFFIXES)} (csv and tsv also with .gz)."
    )
