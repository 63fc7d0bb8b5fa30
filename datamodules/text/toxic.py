"""Jigsaw's toxic comments: short ones, as many toxic as clean ones."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from rnnrepair.atomic import write_file
from rnnrepair.datamodules.files import decode, read_bytes
from rnnrepair.datamodules.table_content import parse_texts
from rnnrepair.datamodules.text.cleaning import LoadedTexts
from rnnrepair.datamodules.text.public_text import PublicTextDataModule
from rnnrepair.errors import DataError
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import names_from
from rnnrepair.settings import Count, ProperShare, check_settings

URL = (
    "https://raw.githubusercontent.com/alm0st907/ursotoxic/master/"
    "jigsaw-toxic-comment-classification-challenge.zip"
)
FULL = "train.csv"
# Of the full train.csv of 159,571 comments, as git names its content.
GIT_BLOB = "7c2081f2e2f02d79d354c359a41e84bcec7cc92f"
KINDS = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]


class ToxicDataModule(PublicTextDataModule):
    """Comments under 200 characters, balanced; toxic where any of the six labels is set.

    Reads ``toxic/train.csv`` or, where there is none, the one other csv file in that folder (a
    subset). Which clean comments are drawn and which are test is a matter of the data set: the
    same for every ``seed``.

    Source: docs/method.md 1.3.
    """

    def __init__(
        self,
        max_characters: Count = 200,
        test_share: ProperShare = 0.1,
        draw_seed: int = 123,
        **text: Any,
    ) -> None:
        """Choose comments and splits.

        Args:
            max_characters: comments of this length or longer are left out.
            test_share: share of the balanced comments that is kept for test.
            draw_seed: of the balancing and of the test comments.
            **text: see ``PublicTextDataModule``.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(ToxicDataModule, locals())
        super().__init__(("clean", "toxic"), **text)
        self.max_characters = max_characters
        self.test_share = test_share
        self.draw_seed = draw_seed

    @property
    def folder(self) -> Path:
        """Where the csv file is looked for."""
        return self.data_dir / "toxic"

    def read_official(self) -> LoadedTexts:
        """Read, filter and balance the comments.

        Raises:
            DataError: no file, a damaged one, or columns missing.
        """
        path = self._file()
        comments = read_comments(path)
        text = comments["comment_text"].fillna("_na_")
        short = text.str.len() < self.max_characters
        toxic = comments[KINDS].max(axis=1) > 0
        generator = torch_generator(self.draw_seed, "toxic comments")
        groups = []
        wanted = min(int((short & toxic).sum()), int((short & ~toxic).sum()))
        for group in (short & ~toxic, short & toxic):
            rows = torch.from_numpy(group.to_numpy().nonzero()[0].copy())
            groups.append(rows[torch.randperm(len(rows), generator=generator)[:wanted]])
        rows = torch.cat(groups)
        rows = rows[torch.randperm(len(rows), generator=generator)]
        n_train = int((1 - self.test_share) * len(rows))
        chosen = rows.tolist()
        return LoadedTexts(
            text.iloc[chosen].tolist(),
            ["toxic" if is_toxic else "clean" for is_toxic in toxic.iloc[chosen]],
            n_train,
            f"toxic ({path.name})",
            names=names_from(comments["id"].iloc[chosen], "id", f"column 'id' of {path.name}"),
        )

    def _file(self) -> Path:
        full = self.folder / FULL
        if not full.is_file():
            others = sorted(self.folder.glob("*.csv*")) if self.folder.is_dir() else []
            if len(others) == 1:
                return others[0]
            if others:
                raise DataError(
                    f"{self.folder.resolve()} holds {[p.name for p in others]}, expected train.csv "
                    "or one csv file: remove the others."
                )
            self._download(full)
        if self.verify_checksum:
            content = full.read_bytes()
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
            if blob.hexdigest() != GIT_BLOB:
                raise DataError(
                    f"{full} is not the official file (its git blob is {blob.hexdigest()[:12]}..., "
                    f"expected {GIT_BLOB[:12]}...): download it again, or set "
                    "verify_checksum=False."
                )
        return full

    def _download(self, path: Path) -> None:
        archive = self.obtain(URL, self.folder / Path(URL).name)
        try:
            with zipfile.ZipFile(archive) as outer:
                name = next(n for n in outer.namelist() if Path(n).name in {FULL, f"{FULL}.zip"})
                content = outer.read(name)
            if name.endswith(".zip"):
                with zipfile.ZipFile(io.BytesIO(content)) as inner:
                    content = inner.read(FULL)
        except (StopIteration, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"{archive} holds no {FULL} ({error}): delete it.") from error
        with write_file(path) as draft:
            draft.write_bytes(content)


def read_comments(path: Path) -> pd.DataFrame:
    """Return the comments with their labels.

    Raises:
        DataError: columns are missing, labels are not 0 or 1, or an id occurs twice.
    """
    content = decode(read_bytes(path), str(path))
    comments = parse_texts(content, str(path))
    missing = [c for c in ["id", "comment_text", *KINDS] if c not in comments.columns]
    if missing:
        raise DataError(
            f"{path} lacks the columns {missing}, it has {list(comments.columns)}: expected "
            "Jigsaw's train.csv."
        )
    if not comments[KINDS].isin(["0", "1"]).all(axis=None):
        raise DataError(f"{path}: the columns {KINDS} must hold 0 or 1.")
    comments[KINDS] = comments[KINDS].astype(int)
    twice = comments["id"][comments["id"].duplicated()]
    if len(twice):
        raise DataError(
            f"{path}: {len(twice)} ids occur twice, the first is {twice.iloc[0]!r}: a comment "
            "could stand in training and in test; remove the copies."
        )
    return comments
