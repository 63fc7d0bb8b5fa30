"""What is made of loaded data before anything is trained: plants, and corrections of a person."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from rnnrepair.datamodules.corrections import read_corrections
from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.planted_copies import PlantedCopies
from rnnrepair.datamodules.planted_labels import PlantedLabels
from rnnrepair.datamodules.planted_trigger import PlantedTrigger
from rnnrepair.datamodules.prepared import Prepared
from rnnrepair.datamodules.scarce_class import ScarceClass
from rnnrepair.datamodules.sequences import in_memory
from rnnrepair.protocols import Split
from rnnrepair.sequences import DataSpec, Names, SampleNames

# Faults of training data that are put in on purpose, beside wrong labels and triggers.
Fault = ScarceClass | PlantedCopies


def prepare(
    data: LoadedData,
    spec: DataSpec,
    splits: Mapping[Split, Tensor],
    planted: PlantedLabels | None,
    fault: Fault | None,
    trigger: PlantedTrigger | None,
    corrections: Path | None,
) -> Prepared:
    """Return data with plants and then corrections, each where there are any.

    Args:
        data: loaded and checked.
        spec: of them.
        splits: drawn; the true labels have drawn them.
        planted: makes labels wrong.
        fault: see ``Fault``.
        trigger: puts a backdoor into samples.
        corrections: table of samples that are relabelled or dropped.

    Raises:
        ConfigurationError: see the plants.
        DataError: see ``read_corrections``.
    """
    made = Prepared(data, data.label, dict(splits), spec)
    if planted is not None:
        made = replace(made, label=planted.plant(made.label, spec.n_classes, made.splits))
    if fault is not None:
        made = fault.plant(made)
    if trigger is not None:
        made = _with_trigger(made, trigger)
    return made if corrections is None else _corrected(made, corrections)


def _with_trigger(made: Prepared, trigger: PlantedTrigger) -> Prepared:
    """Put a backdoor into samples of the fit split."""
    sequences = in_memory(made.data.sequences, "trigger")
    planted = trigger.plant(
        sequences, made.label, made.spec, made.splits["fit"], made.splits["test"]
    )
    return replace(
        made,
        data=replace(made.data, sequences=planted.sequences),
        label=planted.label,
        spec=replace(made.spec, max_steps=int(planted.sequences.lengths.max())),
        poison=planted.poison,
    )


def _corrected(made: Prepared, table: Path) -> Prepared:
    """Relabel and drop what somebody has looked at; see ``read_corrections``."""
    names = made.data.names or SampleNames(np.arange(len(made.label)))
    called, n_classes = Names.of(made.spec), made.spec.n_classes
    classes = [called.of_class(number) for number in range(n_classes)]
    found = read_corrections(table, names, made.label, called.number_of(n_classes), classes)
    label, splits = found.apply(made.label, made.splits)
    poison = None if made.poison is None else made.poison.left_in(splits["fit"], label)
    return replace(made, label=label, splits=splits, poison=poison, said=found.said)
