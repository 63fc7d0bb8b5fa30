"""MNIST with a pattern that few training digits have: a failure mode that nobody was told of."""

import logging
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.mnist import SIZE, MNISTRowsDataModule
from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.edits import EditBatch, ImageEdits
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import SampleNames
from rnnrepair.settings import ASCENDING, ProperShare, check_settings

log = logging.getLogger(__name__)


class MNISTRareDataModule(MNISTRowsDataModule):
    """A small share of the training digits is turned, and a second test set of turned digits.

    Which digits are turned, and how far, is a matter of the data set: it is the same in every
    seed. The ordinary test set stays as it is; ``test_rare`` holds all its digits, turned.
    """

    def __init__(
        self,
        data_dir: str,
        rare_share: ProperShare = 0.01,
        angles: Annotated[tuple[float, float], ASCENDING] = (60.0, 90.0),
        **mnist: Any,
    ) -> None:
        """Choose the pattern.

        Args:
            data_dir: see ``MNISTRowsDataModule``.
            rare_share: share of the training digits that are turned.
            angles: least and largest angle in degrees, clockwise.
            **mnist: see ``MNISTRowsDataModule``.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(MNISTRareDataModule, locals())
        super().__init__(data_dir, **mnist)
        self.rare_share = rare_share
        self.angles = tuple(angles)

    def load(self) -> LoadedData:
        """Load MNIST, turn some of the training digits, and add the turned test digits."""
        data = super().load()
        inputs, _ = data.sequences.take(torch.arange(len(data.label)))
        generator = torch_generator(0, "rare digits")
        n_rare = max(1, round(self.rare_share * data.n_train))
        rare = torch.randperm(data.n_train, generator=generator)[:n_rare]
        inputs[rare] = self._turned(inputs[rare], generator)
        test = inputs[data.first_test :]
        inputs = torch.cat([inputs, self._turned(test, generator)])
        log.info(
            "%d of %d training digits are turned by %g to %g degrees, and %d further test digits.",
            n_rare,
            data.n_train,
            *self.angles,
            len(test),
        )
        names = data.names or SampleNames(np.arange(len(data.label)))
        turned = names.of(torch.arange(data.first_test, len(data.label)))
        return replace(
            data,
            sequences=Sequences.from_padded(inputs, torch.full((len(inputs),), SIZE)),
            label=torch.cat([data.label, data.label[data.first_test :]]),
            more_tests={"test_rare": len(test)},
            names=names.joined(f"{name} turned" for name in turned),
        )

    def _turned(self, images: Tensor, generator: torch.Generator) -> Tensor:
        low, high = self.angles
        angle = low + (high - low) * torch.rand(len(images), generator=generator)
        still = torch.zeros(len(images), dtype=torch.float64)
        edits = EditBatch(
            "image",
            {
                "angle": angle.double(),
                "right": still,
                "down": still,
                "scale": still + 1,
                "shear": still,
            },
        )
        return ImageEdits().apply(images, edits)
