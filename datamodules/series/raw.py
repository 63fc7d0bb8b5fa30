"""What every reader of series returns: N recordings as they stand in the files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from rnnrepair.errors import DataError
from rnnrepair.sequences import SampleNames, names_from

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class RawSeries:
    """N recordings of F channels, S steps in all, one behind the other.

    Attributes:
        values: (S, F) float32; NaN where a value is missing.
        offsets: (N + 1,) int64; recording i owns the steps ``offsets[i]:offsets[i + 1]``.
        labels: (N,) names of classes, as strings.
        channel_names: by channel; empty where the files tell none.
        class_names: in the order of their numbers, empty where the files tell none.
        columns: (N,) further columns by name, which groups and test sets are chosen by.
        part: (N,) ``train``, ``val`` or ``test``; None where there is no official split.
        names: of the recordings, where neither an id nor their number is what they are called.
    """

    values: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    channel_names: Sequence[str] = ()
    class_names: Sequence[str] = ()
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    part: np.ndarray | None = None
    names: SampleNames | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def called(self, recording: int, id_column: str) -> str:
        """Return what a recording is called in the files: by its id, or as its sample is."""
        ids = self.columns.get(id_column)
        if ids is not None:
            return f"recording '{ids[recording]}'"
        (name,) = self.named(id_column, "").called(torch.tensor([recording]))
        return f"{name} (from 0)"

    def named(self, id_column: str, source: str) -> SampleNames:
        """Return what recordings are called: by their ids, else by their number, from 0."""
        if self.names is not None:
            return self.names
        ids = self.columns.get(id_column)
        if ids is not None and len(set(ids.tolist())) == len(self):
            return names_from(ids, id_column, f"{id_column!r} in {source}")
        told = f"number of the recording in {source}, from 0"
        return SampleNames(np.arange(len(self)), "recording", told)

    def channel(self, number: int) -> str:
        """Return the name of a channel, its number where it has none."""
        return str(self.channel_names[number]) if len(self.channel_names) else str(number)


def label_names(
    label: np.ndarray, source: str, called: Callable[[int], str] = "recording {} (from 0)".format
) -> np.ndarray:
    """Return (N,) labels as strings; whole numbers lose their point, so that 1.0 is 1.

    Args:
        label: (N,) or (N, 1).
        source: what messages call the data.
        called: returns what they call one recording.

    Raises:
        DataError: labels of another shape, missing ones, or numbers that are not whole.
    """
    label = np.asarray(label)
    label = label[:, 0] if label.ndim == 2 and label.shape[1] == 1 else label
    if label.ndim != 1:
        raise DataError(f"{source}: labels have shape {label.shape}, expected one a recording.")
    missing = np.array([_is_missing(x) for x in label.tolist()], dtype=bool)
    if missing.any():
        raise DataError(
            f"{source}: {int(missing.sum())} recordings have no label, the first is "
            f"{called(int(missing.argmax()))}: leave them out."
        )
    if label.dtype.kind == "f":
        if (label != np.round(label)).any():
            raise DataError(
                f"{source}: labels such as {label[label != np.round(label)][0]} are not whole: "
                "real-valued targets are not supported; cut them into classes."
            )
        label = label.astype(np.int64)
    return np.array([str(x) for x in label.tolist()], dtype=np.str_)


def check_parts(part: np.ndarray, source: str, column: str) -> np.ndarray:
    """Return (N,) names of parts.

    Raises:
        DataError: other names than train, val and test.
    """
    names = np.array([str(x) for x in np.asarray(part).tolist()], dtype=np.str_)
    unknown = sorted(set(names.tolist()) - set(PARTS))
    if unknown:
        raise DataError(
            f"{source}: {column!r} must hold {list(PARTS)}, found {unknown[:5]}: set split_column "
            "to another column, or to None."
        )
    return names


def _is_missing(value: object) -> bool:
    return value is None or value != value or str(value).strip() == ""
