"""What is made of loaded data before anything is trained: plants, and corrections of a person."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from rnnrepair.datamodules.corrections import read_corrections
from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.planted_labels import PlantedLabels
from rnnrepair.datamodules.planted_trigger import PlantedTrigger
from rnnrepair.datamodules.sequences import in_memory
from rnnrepair.protocols import Split
from rnnrepair.sequences import Corrected, DataSpec, Names, Poison, SampleNames


@dataclass(frozen=True)
class Prepared:
    """Loaded data as they are trained on.

    Attributes:
        data: with what was put into sequences; its labels are the true ones.
        label: (N,) int64, as training, analysis and report see them.
        splits: the indices of every split.
        spec: of the data.
        poison: which sequences hold a trigger, None where none do.
        said: what a person has said of labels, None where nobody has.
    """

    data: LoadedData
    label: Tensor
    splits: dict[Split, Tensor]
    spec: DataSpec
    poison: Poison | None = None
    said: Corrected | None = None

    def with_labels(self, planted: PlantedLabels) -> "Prepared":
        """Make labels wrong."""
        n_classes = self.spec.n_classes
        return replace(self, label=planted.plant(self.label, n_classes, self.splits))

    def with_trigger(self, trigger: PlantedTrigger) -> "Prepared":
        """Put a backdoor into samples of the fit split.

        Raises:
            ConfigurationError: the sequences are not in memory.
        """
        sequences, fit = in_memory(self.data.sequences, "trigger"), self.splits["fit"]
        planted = trigger.plant(sequences, self.label, self.spec, fit)
        return replace(
            self,
            data=replace(self.data, sequences=planted.sequences),
            label=planted.label,
            spec=replace(self.spec, max_steps=int(planted.sequences.lengths.max())),
            poison=planted.poison,
        )

    def corrected(self, table: Path) -> "Prepared":
        """Relabel and drop what somebody has looked at; see ``read_corrections``."""
        names = self.data.names or SampleNames(np.arange(len(self.label)))
        of_class = Names.of(self.spec).number_of(self.spec.n_classes)
        found = read_corrections(table, names, self.label, of_class)
        label, splits = found.apply(self.label, self.splits)
        poison = None if self.poison is None else self.poison.left_in(splits["fit"], label)
        return replace(self, label=label, splits=splits, poison=poison, said=found.said)


def prepare(
    data: LoadedData,
    spec: DataSpec,
    splits: Mapping[Split, Tensor],
    planted: PlantedLabels | None,
    trigger: PlantedTrigger | None,
    corrections: Path | None,
) -> Prepared:
    """Return data with plants and then corrections, each where there are any.

    Args:
        data: loaded and checked.
        spec: of them.
        splits: drawn; the true labels have drawn them.
        planted: makes labels wrong.
        trigger: puts a backdoor into samples.
        corrections: table of samples that are relabelled or dropped.
    """
    made = Prepared(data, data.label, dict(splits), spec)
    if planted is not None:
        made = made.with_labels(planted)
    if trigger is not None:
        made = made.with_trigger(trigger)
    return made if corrections is None else made.corrected(corrections)
