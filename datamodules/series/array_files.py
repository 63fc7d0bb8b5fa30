"""Series in numpy files: an ``.npz``, or a pair of ``.npy``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rnnrepair.datamodules.series.raw import RawSeries, check_parts, label_names
from rnnrepair.errors import DataError

# What people call their arrays; the first that is there counts.
INPUTS = ("values", "x", "X", "inputs", "data")
LENGTHS = ("lengths", "length", "n_steps", "seq_len", "seq_lens", "seqlen", "lens", "len")
LABELS = ("label", "labels", "y", "Y", "target")


def read_npz(path: Path, split_column: str | None = None, more: Sequence[str] = ()) -> RawSeries:
    """Read an ``.npz`` file.

    ``values`` (S, F) or (S,) with ``offsets`` (N + 1,), or ``x`` (N, T, F) or (N, T), whose
    recordings end with their ``lengths`` (N,; ``length``, ``n_steps``) or before a tail of NaN;
    ``label`` (N,). Further arrays of N entries are columns; ``channel_names`` and ``class_names``
    are taken too, and labels are some of these, or their numbers from 0.

    Args:
        path: of the file.
        split_column: array that says ``train``, ``val`` or ``test``; None for none.
        more: arrays that are wanted as columns.

    Raises:
        DataError: an array is missing, or does not fit the others.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as .npz without pickle ({error}).") from error
    names = {what: [n for n in known if n in arrays] for what, known in _KNOWN.items()}
    absent = [f"{what} ({', '.join(_KNOWN[what])})" for what, found in names.items() if not found]
    if absent:
        raise DataError(f"{path} holds {sorted(arrays)}, expected {' and '.join(absent)}.")
    inputs, label = (arrays.pop(names[what][0]) for what in _KNOWN)
    told = {n: arrays.pop(n).tolist() for n in ("channel_names", "class_names") if n in arrays}
    lengths = next((arrays.pop(name) for name in LENGTHS if name in arrays), None)
    values, offsets = _recordings(inputs, arrays.pop("offsets", None), lengths, str(path))
    for name in (*more, *([] if split_column is None else [split_column])):
        if name in arrays and arrays[name].shape != (len(offsets) - 1,):
            raise DataError(
                f"{path}: the column {name!r} is an array of shape {arrays[name].shape}, and there "
                f"are {len(offsets) - 1} recordings: expected one value for each."
            )
    return _raw(values, offsets, label, arrays, split_column, str(path), told)


def read_npy(path: Path, labels: Path | None = None) -> RawSeries:
    """Read a pair of ``.npy`` files: (N, T, F) or (N, T) inputs and (N,) labels.

    Args:
        path: of the inputs; a tail of NaN stands behind shorter recordings.
        labels: file of the labels; None takes the one that is called as the inputs are, with ``y``
            for the last ``x`` of its name.

    Raises:
        DataError: a file is missing, or the two do not fit.
    """
    labels = _partner(path) if labels is None else labels
    inputs, label = (_load(file) for file in (path, labels))
    values, offsets = _recordings(inputs, None, None, str(path))
    return _raw(values, offsets, label, {}, None, str(path), {})


_KNOWN: Mapping[str, tuple[str, ...]] = {"inputs": INPUTS, "labels": LABELS}


def _raw(
    values: np.ndarray,
    offsets: np.ndarray,
    label: np.ndarray,
    columns: dict[str, np.ndarray],
    split_column: str | None,
    source: str,
    told: dict[str, list[str]],
) -> RawSeries:
    n = len(offsets) - 1
    if len(np.atleast_1d(label)) != n:
        raise DataError(f"{source}: {n} recordings and labels of shape {np.shape(label)}.")
    part = None
    if split_column is not None:
        if split_column not in columns:
            raise DataError(
                f"{source} holds no array {split_column!r}, it has {sorted(columns)}: set "
                "split_column."
            )
        part = check_parts(columns[split_column], source, split_column)
    classes = [str(name) for name in told.get("class_names", ())]
    return RawSeries(
        values,
        offsets,
        _named(label_names(label, source), classes, source),
        told.get("channel_names", ()),
        classes,
        {name: column for name, column in columns.items() if column.shape == (n,)},
        part,
    )


def _named(labels: np.ndarray, classes: list[str], source: str) -> np.ndarray:
    """Return (N,) names of classes for labels that are names, or their numbers from 0.

    Raises:
        DataError: a label is neither.
    """
    found = set(labels.tolist())
    if not classes or found <= set(classes):
        return labels
    wrong = sorted(found - {str(number) for number in range(len(classes))})
    if wrong:
        raise DataError(
            f"{source}: labels {wrong[:5]} are none of the class_names {classes}, nor numbers of "
            f"them (0 .. {len(classes) - 1})."
        )
    return np.array(classes)[labels.astype(np.int64)]


def _recordings(
    inputs: np.ndarray, offsets: np.ndarray | None, lengths: np.ndarray | None, source: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return (S, F) float32 values and (N + 1,) offsets."""
    if inputs.dtype.kind not in "fiub":
        raise DataError(f"{source}: inputs are {inputs.dtype}, expected numbers.")
    inputs = inputs.astype(np.float32)
    if offsets is not None:
        inputs = inputs[:, None] if inputs.ndim == 1 else inputs
        right = offsets.ndim == 1 and len(offsets) > 1 and offsets.dtype.kind in "iu"
        if not right or offsets[0] != 0 or offsets[-1] != len(inputs) or inputs.ndim != 2:
            raise DataError(
                f"{source}: values have shape {inputs.shape} and offsets {offsets.shape}: expected "
                "(S, F) and N + 1 whole numbers from 0 to S."
            )
        if (np.diff(offsets.astype(np.int64)) < 1).any():
            raise DataError(f"{source}: offsets must rise: a recording has no steps.")
        return inputs, offsets.astype(np.int64)
    inputs = inputs[..., None] if inputs.ndim == 2 else inputs
    if inputs.ndim != 3:
        raise DataError(
            f"{source}: inputs have shape {inputs.shape}, expected (recordings, steps, channels) "
            "or (recordings, steps), or values with offsets."
        )
    n, n_steps = inputs.shape[:2]
    if lengths is None:
        known = ~np.isnan(inputs).all(2)
        lengths = n_steps - known[:, ::-1].argmax(1)
        lengths[~known.any(1)] = 0
    if len(lengths) != n or (lengths < 1).any() or (lengths > n_steps).any():
        row = int(((lengths < 1) | (lengths > n_steps)).argmax()) if len(lengths) == n else 0
        raise DataError(
            f"{source}: lengths must be {n} numbers in 1 .. {n_steps}; that of recording {row} "
            f"(from 0) is {lengths[row] if len(lengths) else 'missing'}."
        )
    offsets = np.r_[0, np.cumsum(lengths)].astype(np.int64)
    return inputs[np.arange(n_steps) < lengths[:, None]], offsets


def _partner(path: Path) -> Path:
    place = path.stem.lower().rfind("x")
    if place >= 0:
        y = "Y" if path.stem[place] == "X" else "y"
        found = path.with_name(path.stem[:place] + y + path.stem[place + 1 :] + path.suffix)
        if found.is_file():
            return found
    raise DataError(
        f"{path}: there are no labels beside it (x.npy and y.npy, a_x.npy and a_y.npy): set labels "
        "to the file that holds them."
    )


def _load(path: Path) -> np.ndarray:
    if path.suffix.lower() != ".npy":
        raise DataError(
            f"{path}: inputs of a .npy file have their labels in another one: make it with "
            "numpy.save('labels.npy', labels), or put both into one .npz (x=, label=)."
        )
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as .npy without pickle ({error}).") from error
