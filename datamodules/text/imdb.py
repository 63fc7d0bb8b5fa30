"""Large Movie Review Dataset: 25,000 training and 25,000 test reviews."""

import hashlib
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rnnrepair.datamodules.files import decode, read_bytes
from rnnrepair.datamodules.table_content import parse_texts
from rnnrepair.datamodules.table_lines import line_of_row
from rnnrepair.datamodules.text.cleaning import LoadedTexts
from rnnrepair.datamodules.text.public_text import PublicTextDataModule
from rnnrepair.errors import DataError
from rnnrepair.sequences import SampleNames

URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
ARCHIVE = "aclImdb_v1.tar.gz"
MD5 = "7c2ac02c03563afcf9b574c7e56c153a"
CSV = "imdb_reviews_50k.csv"
COLUMNS = ["split", "label", "id", "text"]


class IMDbDataModule(PublicTextDataModule):
    """Reviews from the official archive, from it unpacked, or from one csv file.

    Source: docs/method.md 1.5.
    """

    def __init__(self, **text: Any) -> None:
        """Choose where the reviews come from; see ``PublicTextDataModule``."""
        super().__init__(("neg", "pos"), **text)

    @property
    def folder(self) -> Path:
        """Where the reviews are looked for."""
        return self.data_dir / "imdb"

    def read_official(self) -> LoadedTexts:
        """Read all labelled reviews, training first.

        Raises:
            DataError: nothing to read, or a damaged file.
        """
        for name in (f"{CSV}.gz", CSV):
            if (self.folder / name).is_file():
                return self._from_csv(self.folder / name)
        if (self.folder / "aclImdb").is_dir():
            return self._from_folder(self.folder / "aclImdb")
        archive = self.obtain(URL, self.folder / ARCHIVE)
        if self.verify_checksum:
            found = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
            if found != MD5:
                raise DataError(
                    f"{archive} has MD5 {found}, expected {MD5}: it is damaged or half "
                    f"downloaded; delete it and download {URL} again."
                )
        return self._from_archive(archive)

    def _from_csv(self, path: Path) -> LoadedTexts:
        content = decode(read_bytes(path), str(path))
        reviews = parse_texts(content, str(path))
        missing = [c for c in COLUMNS if c not in reviews.columns]
        if missing:
            raise DataError(f"{path} lacks the columns {missing}, expected {COLUMNS}.")
        twice = reviews.duplicated(["split", "label", "id"])
        if twice.any():
            raise DataError(
                f"{path}: {int(twice.sum())} reviews occur twice (split, label and id), the first "
                f"in {line_of_row(content, int(twice.to_numpy().argmax()))}: remove the copies."
            )
        unknown = sorted(set(reviews["split"]) - {"train", "test"})
        if unknown:
            raise DataError(f"{path}: the column split must hold train or test, found {unknown}.")
        train = reviews[reviews["split"] == "train"]
        ordered = pd.concat([train, reviews[reviews["split"] == "test"]])
        names = ordered["split"] + "/" + ordered["label"] + "/" + ordered["id"]
        return LoadedTexts(
            ordered["text"].tolist(),
            ordered["label"].tolist(),
            len(train),
            "imdb",
            names=SampleNames(names.to_numpy(dtype=np.str_), "", f"split/label/id of {path.name}"),
        )

    def _from_folder(self, folder: Path) -> LoadedTexts:
        files = [
            (part, label, file)
            for part in ("train", "test")
            for label in ("neg", "pos")
            for file in sorted((folder / part / label).glob("*.txt"))
        ]
        return _reviews(
            [
                (part, label, decode(file.read_bytes(), str(file)), file.stem)
                for part, label, file in files
            ],
            folder,
        )

    def _from_archive(self, path: Path) -> LoadedTexts:
        found = []
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    parts = Path(member.name).parts
                    wanted = len(parts) == 4 and parts[1] in {"train", "test"}
                    file = (
                        archive.extractfile(member) if wanted and parts[2] in self._names else None
                    )
                    if file is not None:
                        found.append((member.name, parts[1], parts[2], file.read()))
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DataError(f"{path} cannot be read ({error}): download {URL} again.") from error
        found.sort(key=lambda entry: entry[0])
        return _reviews(
            [(p, label, decode(text, name), Path(name).stem) for name, p, label, text in found],
            path,
        )

    @property
    def _names(self) -> list[str]:
        return self.classes or []


def _reviews(reviews: list[tuple[str, str, str, str]], path: Path) -> LoadedTexts:
    train = [review for review in reviews if review[0] == "train"]
    test = [review for review in reviews if review[0] == "test"]
    if not train or not test:
        raise DataError(
            f"{path} holds {len(train)} training and {len(test)} test reviews: expected "
            f"train/neg, train/pos, test/neg and test/pos, as in {URL}."
        )
    both = train + test
    names = np.array([f"{part}/{label}/{stem}" for part, label, _, stem in both])
    return LoadedTexts(
        [r[2] for r in both],
        [r[1] for r in both],
        len(train),
        "imdb",
        names=SampleNames(names, "", "file of aclImdb, without its ending"),
    )
