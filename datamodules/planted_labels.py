"""Labels that are made wrong on purpose, to see who finds them."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.protocols import Split
from rnnrepair.seeding import torch_generator
from rnnrepair.settings import at_least, below, check_settings, one_of

# Not all: a class of which no label is right is another class.
WrongShare = Annotated[float, at_least(0), below(1)]
# Where a wrong label may come from.
WAYS = ("symmetric", "pairwise")


class PlantedLabels:
    """Gives a share of the samples of each split another label.

    Splits, vocabulary and scaling are those of the true labels; training, analysis and report see
    the planted ones alone.
    """

    def __init__(
        self,
        share: WrongShare = 0.1,
        way: Annotated[str, one_of(WAYS)] = "symmetric",
        splits: Sequence[Split] = ("fit", "repair", "val", "test"),
        seed: int = 0,
        classes: Sequence[Annotated[int, at_least(0)]] | None = None,
    ) -> None:
        """Choose how many labels are made wrong, and how.

        Args:
            share: of the samples of each split, or of those of ``classes`` in it, rounded.
            way: ``symmetric``, any other class alike; ``pairwise``, the next class, and the first
                for the last.
            splits: where.
            seed: of the choice.
            classes: whose labels are made wrong, all where None.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(PlantedLabels, locals())
        self.share = share
        self.way = way
        self.splits = splits
        self.seed = seed
        self.classes = classes

    def plant(self, label: Tensor, n_classes: int, splits: Mapping[Split, Tensor]) -> Tensor:
        """Return (n,) labels of which some are wrong.

        Args:
            label: (n,) true ones.
            n_classes: C.
            splits: the indices of every split.

        Raises:
            ConfigurationError: there is no such split, or no such class in it.
        """
        planted = label.clone()
        for name in self.splits:
            if name not in splits:
                raise ConfigurationError(
                    f"planted labels: no split {name!r}, the data have {sorted(splits)}."
                )
            index = self._of_classes(splits[name], label, name)
            generator = torch_generator(self.seed, "planted labels", name)
            order = torch.randperm(len(index), generator=generator)
            rows = index[order[: round(self.share * len(index))]]
            # 1 .. C - 1, so that no label stays.
            step = torch.randint(1, n_classes, (len(rows),), generator=generator)
            if self.way == "pairwise":
                step = torch.ones_like(step)
            planted[rows] = (label[rows] + step) % n_classes
        return planted

    def _of_classes(self, index: Tensor, label: Tensor, split: Split) -> Tensor:
        """Return those of the (n,) indices whose label may be made wrong.

        Raises:
            ConfigurationError: the split has no sample of a class.
        """
        if self.classes is None:
            return index
        missing = sorted(set(self.classes) - set(label[index].tolist()))
        if missing:
            raise ConfigurationError(
                f"planted: classes={list(self.classes)}: the split {split} has no sample of class "
                f"{missing}, it has {label[index].unique().tolist()}."
            )
        return index[torch.isin(label[index], torch.tensor(list(self.classes)))]
