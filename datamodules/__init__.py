"""Data modules: sequences in memory with the splits fit, repair, val and test."""

from datamodules.loaded import LoadedData
from datamodules.mnist import MNISTRowsDataModule
from datamodules.mnist_published import MNISTPublishedDataModule
from datamodules.sequence_datamodule import SequenceDataModule
from datamodules.sequences import Sequences

__all__ = [
    "LoadedData",
    "MNISTPublishedDataModule",
    "MNISTRowsDataModule",
    "SequenceDataModule",
    "Sequences",
]
