"""Files of the UCR/UEA archive (``.ts``)."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnnrepair.datamodules.series.raw import RawSeries
from rnnrepair.errors import DataError
from rnnrepair.sequences import SampleNames

ENDS = ("_TRAIN.ts", "_TEST.ts")


@dataclass(frozen=True)
class Header:
    """What stands before the data of a file.

    Attributes:
        classes: names in the order of the header.
        channels: F, None where the header does not tell it.
        lines: of the header, so that messages can name a line of the file.
    """

    classes: list[str]
    channels: int | None
    lines: int


def read_ts(path: Path) -> RawSeries:
    """Read NAME_TRAIN.ts and NAME_TEST.ts: from a folder, or from either of the two files.

    One file of another name is read alone, without an official split. Recordings may have unequal
    lengths; ``?`` and NaN are missing values.

    Args:
        path: of the folder or the file.

    Raises:
        DataError: names the file, and the line where one is at fault.
    """
    files = _files(path)
    read = [_read_file(file) for file in files]
    headers = [header for header, *_ in read]
    if len(files) == 1:
        _, values, lengths, label = read[0]
        return RawSeries(values, _offsets(lengths), label, (), headers[0].classes)
    classes = headers[0].classes
    if set(headers[1].classes) != set(classes):
        raise DataError(
            f"{files[0]} has the classes {classes}, {files[1].name} {headers[1].classes}: they "
            "belong to different data sets."
        )
    if read[0][1].shape[1] != read[1][1].shape[1]:
        raise DataError(
            f"{files[0]} has {read[0][1].shape[1]} channels, {files[1].name} "
            f"{read[1][1].shape[1]}: they belong to different data sets."
        )
    values, lengths, label = (np.concatenate([r[i] for r in read]) for i in (1, 2, 3))
    part = np.repeat(["train", "test"], [len(r[3]) for r in read])
    sizes = [("train", len(read[0][3])), ("test", len(read[1][3]))]
    told = f"number of the recording in {files[0].name} (train) or {files[1].name} (test), from 0"
    names = SampleNames.by_part(sizes, told)
    return RawSeries(values, _offsets(lengths), label, (), classes, part=part, names=names)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        first = sorted(path.glob("*_TRAIN.ts"))
        named = [file for file in first if file.name == f"{path.name}_TRAIN.ts"]
        if len(first) != 1 and len(named) != 1:
            raise DataError(
                f"{path} holds {len(first)} files NAME_TRAIN.ts, expected one: name the file."
            )
        path = (named or first)[0]
    for end, other in (ENDS, ENDS[::-1]):
        if path.name.endswith(end):
            pair = path.with_name(path.name.removesuffix(end) + other)
            if not pair.is_file():
                raise DataError(f"{path} stands without {pair.name}: put it beside.")
            return sorted([path, pair], key=lambda file: not file.name.endswith(ENDS[0]))
    return [path]


def _read_file(path: Path) -> tuple[Header, np.ndarray, np.ndarray, np.ndarray]:
    """Return the header, (S, F) values, (N,) lengths and (N,) labels."""
    recordings, labels = [], []
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = _header(file, path)
            n_channels = header.channels
            for number, line in enumerate(file, start=header.lines + 1):
                if not line.strip():
                    continue
                *channels, label = map(str.strip, line.split(":"))
                where = f"{path}, line {number}"
                values = _values(channels, n_channels, where)
                if label not in header.classes:
                    raise DataError(
                        f"{where}: the label '{label}' is none of the classes of the header, "
                        f"{header.classes}."
                    )
                n_channels = len(channels)
                recordings.append(values)
                labels.append(label)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}).") from error
    if not labels:
        raise DataError(f"{path} holds no recording behind @data.")
    lengths = np.array([len(values) for values in recordings])
    return header, np.concatenate(recordings), lengths, np.array(labels)


def _values(channels: list[str], wanted: int | None, where: str) -> np.ndarray:
    """Return the (T, F) float32 values of a recording, NaN where one is missing.

    Args:
        channels: the text of each.
        wanted: channels that the header or the first line has; None before the first.
        where: file and line.
    """
    if not channels or len(channels) != (wanted or len(channels)):
        raise DataError(
            f"{where}: {len(channels)} channels, expected {wanted or 'at least one'}; channels and "
            "the label behind them are separated by colons."
        )
    texts = [channel.replace("?", "nan").split(",") for channel in channels]
    steps = [len(text) for text in texts]
    if len(set(steps)) > 1:
        raise DataError(
            f"{where}: channels of unequal length ({steps}): each step needs a value of every "
            "channel, '?' where it is missing."
        )
    try:
        # Python reads 1_000 as a number, files do not mean it.
        if any("_" in channel for channel in channels):
            raise ValueError
        return np.array([list(map(float, text)) for text in texts], dtype=np.float32).T
    except ValueError as error:
        raise DataError(
            f"{where}: a value is no number: expected numbers separated by commas, '?' where one "
            "is missing."
        ) from error


def _header(file: Iterable[str], path: Path) -> Header:
    told: dict[str, list[str]] = {}
    for number, line in enumerate(file, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        key = words[0].lower()
        if key == "@data":
            return _checked_header(told, path, number)
        if not key.startswith("@"):
            raise DataError(f"{path}, line {number}: data stand before a line '@data'.")
        told[key] = words[1:]
    raise DataError(f"{path} has no line '@data': it is no .ts file, or cut.")


def _checked_header(told: dict[str, list[str]], path: Path, n_lines: int) -> Header:
    def says(key: str) -> bool:
        return bool(told.get(key)) and told[key][0].lower() == "true"

    if says("@timestamps"):
        raise DataError(
            f"{path}: recordings with time stamps (@timeStamps true) are not supported: write the "
            "values alone, at equal distances in time."
        )
    if says("@targetlabel"):
        raise DataError(
            f"{path}: real-valued targets (@targetLabel true) are not supported; cut them into "
            "classes, '@classLabel true NAME NAME ...'."
        )
    if not says("@classlabel") or not told["@classlabel"][1:]:
        raise DataError(
            f"{path}: the header names no classes, expected a line "
            "'@classLabel true NAME NAME ...'."
        )
    given = told.get("@dimensions", told.get("@dimension", []))
    channels = int(given[0]) if given and given[0].isdigit() else None
    return Header(told["@classlabel"][1:], 1 if says("@univariate") else channels, n_lines)


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.r_[0, np.cumsum(lengths)].astype(np.int64)
