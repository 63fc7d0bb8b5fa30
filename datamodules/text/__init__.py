"""Text data modules, from files and downloads to numbered tokens."""

from rnnrepair.datamodules.text.cleaning import LoadedTexts
from rnnrepair.datamodules.text.csv_text import CSVTextDataModule
from rnnrepair.datamodules.text.imdb import IMDbDataModule
from rnnrepair.datamodules.text.snippets import MovieSnippetsDataModule
from rnnrepair.datamodules.text.sst import SSTDataModule
from rnnrepair.datamodules.text.sst_published import SSTPublishedDataModule
from rnnrepair.datamodules.text.text_datamodule import TextDataModule
from rnnrepair.datamodules.text.toxic import ToxicDataModule

__all__ = [
    "CSVTextDataModule",
    "IMDbDataModule",
    "LoadedTexts",
    "MovieSnippetsDataModule",
    "SSTDataModule",
    "SSTPublishedDataModule",
    "TextDataModule",
    "ToxicDataModule",
]
