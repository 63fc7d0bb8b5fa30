"""Text data modules, from files and downloads to numbered tokens."""

from datamodules.text.cleaning import LoadedTexts
from datamodules.text.csv_text import CSVTextDataModule
from datamodules.text.imdb import IMDbDataModule
from datamodules.text.snippets import MovieSnippetsDataModule
from datamodules.text.sst import SSTDataModule
from datamodules.text.sst_published import SSTPublishedDataModule
from datamodules.text.text_datamodule import TextDataModule
from datamodules.text.toxic import ToxicDataModule

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
