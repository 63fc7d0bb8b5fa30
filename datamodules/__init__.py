"""Data modules: sequences, or a user's own data, with the splits fit, repair, val and test."""

from rnnrepair.datamodules.array_datamodule import ArrayDataModule
from rnnrepair.datamodules.augmentation import Augmentation
from rnnrepair.datamodules.dataset_datamodule import DatasetDataModule
from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.mnist import MNISTRowsDataModule
from rnnrepair.datamodules.mnist_published import MNISTPublishedDataModule
from rnnrepair.datamodules.planted_copies import PlantedCopies
from rnnrepair.datamodules.planted_labels import PlantedLabels
from rnnrepair.datamodules.planted_trigger import PlantedPatch, PlantedSpike, PlantedWord
from rnnrepair.datamodules.rare_edit import RareEdit
from rnnrepair.datamodules.rare_group import RareGroup
from rnnrepair.datamodules.scarce_class import ScarceClass
from rnnrepair.datamodules.sequence_datamodule import SequenceDataModule
from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.datamodules.series import SeriesDataModule

__all__ = [
    "ArrayDataModule",
    "Augmentation",
    "DatasetDataModule",
    "LoadedData",
    "MNISTPublishedDataModule",
    "MNISTRowsDataModule",
    "PlantedCopies",
    "PlantedLabels",
    "PlantedPatch",
    "PlantedSpike",
    "PlantedWord",
    "RareEdit",
    "RareGroup",
    "ScarceClass",
    "SequenceDataModule",
    "Sequences",
    "SeriesDataModule",
]
