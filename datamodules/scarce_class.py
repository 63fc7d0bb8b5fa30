"""A class of which few training samples are left, to see who tells that they are too few."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import torch

from rnnrepair.datamodules.class_number import class_number
from rnnrepair.datamodules.prepared import Prepared
from rnnrepair.errors import ConfigurationError
from rnnrepair.protocols import Split
from rnnrepair.seeding import torch_generator
from rnnrepair.settings import ProperShare, check_settings

log = logging.getLogger(__name__)


class ScarceClass:
    """Leaves a small share of the training samples of one class; the test set stays as it is."""

    def __init__(
        self,
        label: int | str,
        keep: ProperShare = 0.05,
        splits: Sequence[Split] = ("fit", "repair", "val"),
        seed: int = 0,
    ) -> None:
        """Choose the class.

        Args:
            label: of which few samples are left, by number or name.
            keep: share of them that is left in each split, at least one sample.
            splits: that lose samples.
            seed: of the choice.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(ScarceClass, locals())
        self.label = label
        self.keep = keep
        self.splits = splits
        self.seed = seed

    def plant(self, made: Prepared) -> Prepared:
        """Return the data without most training samples of the class.

        Raises:
            ConfigurationError: no such split or class, or a split has no sample of it.
        """
        number = class_number("fault", self.label, made.spec)
        splits = dict(made.splits)
        for name in self.splits:
            if name not in splits:
                raise ConfigurationError(f"fault: no split {name!r}, there are {sorted(splits)}.")
            rows = splits[name]
            of_class = rows[made.label[rows] == number]
            if len(of_class) == 0:
                raise ConfigurationError(
                    f"fault: the split {name} has no sample of class {self.label!r}: choose "
                    "another label, or leave the split out."
                )
            order = torch.randperm(
                len(of_class), generator=torch_generator(self.seed, "scarce class", name)
            )
            gone = of_class[order[max(1, round(self.keep * len(of_class))) :]]
            splits[name] = rows[~torch.isin(rows, gone)]
            log.info(
                "%d of %d %s samples of class %s are left, on purpose.",
                len(of_class) - len(gone),
                len(of_class),
                name,
                self.label,
            )
        return replace(made, splits=splits)
