"""Base of the public text data sets: from the folder, by download, or snippets in their place."""

import logging
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from rnnrepair.datamodules.text.cleaning import LoadedTexts
from rnnrepair.datamodules.text.downloads import download
from rnnrepair.datamodules.text.snippets import with_test
from rnnrepair.datamodules.text.snippets_source import CLASSES, read_snippets
from rnnrepair.datamodules.text.text_datamodule import TextDataModule
from rnnrepair.errors import MissingDataError
from rnnrepair.settings import check_settings, one_of

log = logging.getLogger(__name__)

SOURCES = ("auto", "folder", "download", "snippets")
SNIPPETS_TEST_SHARE = 0.2


class PublicTextDataModule(TextDataModule):
    """A data set with a folder and an official address; a subclass says how it is read."""

    def __init__(
        self,
        classes: Sequence[str],
        source: Annotated[str, one_of(SOURCES)] = "auto",
        verify_checksum: bool = True,
        **text: Any,
    ) -> None:
        """Choose where the texts come from.

        Args:
            classes: see ``TextDataModule``.
            source: ``folder``; ``download`` (into the folder, if it is not there yet);
                ``snippets`` (film-review sentences instead); or ``auto``: the first of these that
                can be had.
            verify_checksum: compare files with the official digests.
            **text: see ``TextDataModule``.

        Raises:
            SettingsError: unknown source, or a value out of range.
        """
        check_settings(PublicTextDataModule, locals())
        super().__init__(classes, **text)
        self.wanted_source = source
        self.verify_checksum = verify_checksum

    @abstractmethod
    def read_official(self) -> LoadedTexts:
        """Read the data set, which ``obtain`` may download."""

    def read(self) -> LoadedTexts:
        """Read the data set, or the snippets in its place.

        Raises:
            MissingDataError: it can be had from nowhere.
            DataError: it is damaged or another one.
        """
        if self.wanted_source == "snippets":
            return self._snippets()
        try:
            return self.read_official()
        except MissingDataError as error:
            if self.wanted_source != "auto":
                raise
            log.warning(
                "%s could not be had (%s). FALLING BACK to the rated film-review sentences that "
                "pip can fetch: results are not comparable.",
                type(self).__name__.removesuffix("DataModule"),
                error,
            )
            return self._snippets()

    def obtain(self, url: str, path: Path) -> Path:
        """Return a file, downloaded if it is not there yet and may be.

        Raises:
            MissingDataError: it is not there, and may not or cannot be downloaded.
        """
        if path.is_file():
            return path
        if self.wanted_source == "folder":
            raise MissingDataError(
                f"{path.resolve()} does not exist: download {url} into that folder, set "
                "data_dir (or RNNREPAIR_DATA) to the folder that holds "
                f"{path.parent.name}/, or set source=auto."
            )
        return download(url, path)

    def _snippets(self) -> LoadedTexts:
        self.classes = list(CLASSES)
        return with_test(read_snippets(self.data_dir, self.cache_dir), SNIPPETS_TEST_SHARE)
