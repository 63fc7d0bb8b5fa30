"""Series: readers of files, scaling, missing values, windows, and their data module."""

from rnnrepair.datamodules.series.raw import RawSeries
from rnnrepair.datamodules.series.reading import read_series
from rnnrepair.datamodules.series.series_datamodule import SeriesDataModule

__all__ = ["RawSeries", "SeriesDataModule", "read_series"]
