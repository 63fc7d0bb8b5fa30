"""Stanford Sentiment Treebank: whole sentences, positive or negative, and their phrases."""

import re
import zipfile
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnnrepair.datamodules.files import decode
from rnnrepair.datamodules.pip_archive import check_sha256
from rnnrepair.datamodules.text.cleaning import LoadedTexts
from rnnrepair.datamodules.text.constituents import NEUTRAL
from rnnrepair.datamodules.text.phrases import read_phrases
from rnnrepair.datamodules.text.public_text import PublicTextDataModule
from rnnrepair.errors import DataError
from rnnrepair.sequences import Phrases, SampleNames

URL = "https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip"
ARCHIVE = "trainDevTestTrees_PTB.zip"
PARTS = ("train", "dev", "test")
SHA256 = {
    "train": "e2f3f41b0b1e6d4dddc0effe3bfc2d27ed8928079aa9a03d652311614fc5feb7",
    "dev": "0e9336aed6e4730e19f58d00a77b3f0297efdb755f7b5e598c98a05e3f97ea40",
    "test": "6e54806dee95cf80cd918e7dfb3f6770f6df24bf826f289a4d1f709e1c8f6761",
}
SOURCE = "sst"
_LEAF = re.compile(r"\(\d ([^() ]+)\)")
# The treebank writes brackets and slashes so that they do not disturb its own.
_ESCAPES = {"-LRB-": "(", "-RRB-": ")", "\\/": "/", "\\*": "*"}


class SSTDataModule(PublicTextDataModule):
    """6,920 training, 872 val and 1,821 test sentences; neutral ones are left out.

    Source: docs/method.md 1.4. The official dev set is ``val``.
    """

    def __init__(self, **text: Any) -> None:
        """Choose where the sentences come from; see ``PublicTextDataModule``."""
        super().__init__(("negative", "positive"), **text)

    @property
    def folder(self) -> Path:
        """Where the archive, or ``trees/`` unpacked, is looked for."""
        return self.data_dir / "sst"

    def read_official(self) -> LoadedTexts:
        """Read the trees from the folder, or download them into it.

        Raises:
            DataError: a file is missing, damaged or foreign.
        """
        if not (self.folder / "trees").is_dir():
            self.obtain(URL, self.folder / ARCHIVE)
        texts: list[str] = []
        labels: list[str] = []
        names: list[str] = []
        sizes = []
        for part in PARTS:
            content = self._content(part)
            if self.verify_checksum:
                check_sha256(content, SHA256[part], f"{self.folder}: trees/{part}.txt")
            trees = parse_trees(decode(content, f"trees/{part}.txt"), f"trees/{part}.txt")
            texts += [text for _, text, _ in trees]
            labels += [label for _, _, label in trees]
            names += [f"{part} {line}" for line, _, _ in trees]
            sizes.append(len(trees))
        told = "file in trees/ (train, dev or test) and line in it, from 1"
        named = SampleNames(np.array(names), "", told)
        return LoadedTexts(texts, labels, sizes[0], SOURCE, n_val=sizes[1], names=named)

    @cached_property
    def phrases(self) -> Phrases | None:
        """Labelled phrases of the training trees; None where the sentences are no trees' words.

        That is with snippets in their place, and with a tokenizer other than ``split``.
        """
        if self.source != SOURCE or self.tokenizer != "split":
            return None
        content = decode(self._content("train"), "trees/train.txt")
        trees = {f"train {n}": tree for n, tree in enumerate(content.splitlines(), start=1)}
        held_out = torch.cat([self.indices(split) for split in ("val", "test")])
        index = torch.cat([self.indices("fit"), self.indices("repair")]).unique()
        index = index[~torch.isin(index, held_out)]  # published protocols repair test sentences
        sentences = replace(self.fetch(index), label=self._store.loaded_label_of(index))
        return read_phrases(
            trees, self.sample_names.of(index), sentences, self.fetch(held_out), self.unknown
        )

    def _content(self, part: str) -> bytes:
        file = self.folder / "trees" / f"{part}.txt"
        if file.is_file():
            return file.read_bytes()
        try:
            with zipfile.ZipFile(self.folder / ARCHIVE) as archive:
                return archive.read(f"trees/{part}.txt")
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{self.folder / ARCHIVE} cannot be read ({error}): delete it and download {URL} "
                "again."
            ) from error


def parse_trees(content: str, name: str) -> list[tuple[int, str, str]]:
    """Return (line, sentence, class) of every tree that is not neutral; lines count from 1.

    Args:
        content: one tree a line, ``(3 (2 It) (3 (3 works) (2 .)))``.
        name: of the file, for the error.

    Raises:
        DataError: a line is no tree.
    """
    trees = []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        words = _LEAF.findall(line)
        if not re.match(r"\([0-4] ", line) or not words:
            raise DataError(f"{name}, line {number} is no sentiment tree: {line[:60]!r}.")
        root = int(line[1])
        if root == NEUTRAL:
            continue
        for escape, plain in _ESCAPES.items():
            words = [word.replace(escape, plain) for word in words]
        label = "positive" if root > NEUTRAL else "negative"
        trees.append((number, " ".join(words), label))
    return trees
