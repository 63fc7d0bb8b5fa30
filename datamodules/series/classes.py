"""Classes of recordings: their names in the order of their numbers."""

from collections.abc import Sequence

from rnnrepair.datamodules.series.raw import RawSeries
from rnnrepair.datamodules.series.recordings import Recordings
from rnnrepair.errors import DataError


def class_names_of(raw: RawSeries, source: str) -> list[str]:
    """Return the names of the classes: those of the file, or those found, numbers by size.

    Raises:
        DataError: a label is none of the file's classes, or there is one class only.
    """
    found = set(raw.labels.tolist())
    if raw.class_names:
        names = [str(name) for name in raw.class_names]
        if found <= set(names):
            return names
        raise DataError(f"{source}: labels {sorted(found - set(names))[:5]} are none of {names}.")
    if len(found) < 2:
        raise DataError(f"{source}: there is one class, {sorted(found)}, expected at least two.")
    numbers = all(name.lstrip("-").isdigit() for name in found)
    return sorted(found, key=int) if numbers else sorted(found)


def check_classes(cut: Recordings, classes: Sequence[str], source: str) -> None:
    """Refuse test or val sets with classes that no training sequence has.

    Raises:
        DataError: names the classes.
    """
    trained = set(cut.label[cut.part == 0].tolist())
    unseen = sorted(set(cut.label.tolist()) - trained)
    if unseen:
        raise DataError(
            f"{source}: no training sequence is of the classes {[classes[c] for c in unseen]}, "
            "which the test or val set holds: choose another test set, or leave those out."
        )
