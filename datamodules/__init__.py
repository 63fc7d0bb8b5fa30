"""Data modules: sequences in memory with the splits fit, repair, val and test."""

from rnnrepair.datamodules.augmentation import Augmentation
from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.mnist import MNISTRowsDataModule
from rnnrepair.datamodules.mnist_published import MNISTPublishedDataModule
from rnnrepair.datamodules.mnist_rare import MNISTRareDataModule
from rnnrepair.datamodules.sequence_datamodule import SequenceDataModule
from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.datamodules.series import SeriesDataModule

__all__ = [
    "Augmentation",
    "LoadedData",
    "MNISTPublishedDataModule",
    "MNISTRareDataModule",
    "MNISTRowsDataModule",
    "SequenceDataModule",
    "Sequences",
    "SeriesDataModule",
]
