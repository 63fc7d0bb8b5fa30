"""Data modules: sequences in memory with the splits fit, repair, val and test."""

from datamodules.augmentation import Augmentation
from datamodules.loaded import LoadedData
from datamodules.mnist import MNISTRowsDataModule
from datamodules.mnist_published import MNISTPublishedDataModule
from datamodules.mnist_rare import MNISTRareDataModule
from datamodules.sequence_datamodule import SequenceDataModule
from datamodules.sequences import Sequences

__all__ = [
    "Augmentation",
    "LoadedData",
    "MNISTPublishedDataModule",
    "MNISTRareDataModule",
    "MNISTRowsDataModule",
    "SequenceDataModule",
    "Sequences",
]
