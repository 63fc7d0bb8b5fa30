"""Files of the UCR/UEA archive (``.ts``), read in blocks of lines."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from rnnrepair.datamodules.series.raw import RawSeries
from rnnrepair.errors import DataError

# Bytes of lines that are parsed at a time.
BLOCK = 2**22
COMMA, COLON, NEWLINE = b","[0], b":"[0], b"\n"[0]
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
    return RawSeries(values, _offsets(lengths), label, (), classes, part=part)


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
    try:
        with path.open("rb") as file:
            header = _header(file, path)
            values, lengths, labels = [], [], []
            line, n_channels = header.lines, header.channels
            for block in _blocks(file):
                found, length, label = _parsed(block, path, line, n_channels)
                unknown = ~np.isin(label, header.classes)
                if unknown.any():
                    row = int(unknown.argmax())
                    raise DataError(
                        f"{path}, line {_line_of(block, row, line)}: the label '{label[row]}' is "
                        f"none of the classes of the header, {header.classes}."
                    )
                n_channels = found.shape[1]
                values.append(found)
                lengths.append(length)
                labels.append(label)
                line += block.count(b"\n")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}).") from error
    if not labels:
        raise DataError(f"{path} holds no recording behind @data.")
    return header, np.concatenate(values), np.concatenate(lengths), np.concatenate(labels)


def _header(file: BinaryIO, path: Path) -> Header:
    told: dict[str, list[str]] = {}
    for number, line in enumerate(file, start=1):
        words = line.decode("utf-8", "replace").split()
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


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield whole lines, about ``BLOCK`` bytes at a time."""
    rest = b""
    while read := file.read(BLOCK):
        end = read.rfind(b"\n") + 1
        if end == 0:
            rest += read
            continue
        yield rest + read[:end]
        rest = read[end:]
    if rest.strip():
        yield rest + b"\n"


def _parsed(
    block: bytes, path: Path, line: int, n_channels: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (s, F) values, (n,) lengths and (n,) labels of the lines of a block."""
    text = np.frombuffer(_plain(block), dtype=np.uint8)
    stop = np.flatnonzero(text == NEWLINE)
    start = np.r_[0, stop[:-1] + 1]
    start, stop = start[stop > start], stop[stop > start]  # blank lines hold nothing
    colon = np.flatnonzero(text == COLON)
    last = np.searchsorted(colon, stop)
    n_colons = last - np.searchsorted(colon, start)
    wanted = int(n_colons[0]) if n_channels is None and len(n_colons) else n_channels
    wrong = n_colons != wanted
    if wanted == 0 or wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{path}, line {_line_of(block, row, line)}: {max(int(n_colons[row]), 0)} channels, "
            f"expected {wanted or 'at least one'}; channels and the label behind them are separated"
            " by colons."
        )
    label_from = colon[last - 1] + 1
    labels = np.array(
        [
            bytes(text[a:b]).decode("utf-8", "replace").strip()
            for a, b in zip(label_from, stop, strict=True)
        ],
        dtype=np.str_,
    )
    is_label = np.zeros(len(text) + 1, dtype=np.int8)
    is_label[label_from] += 1
    is_label[stop] -= 1
    kept = text[np.cumsum(is_label[:-1], dtype=np.int8) == 0]
    kept = kept[kept != NEWLINE]
    # Every channel now ends with a colon.
    ends = np.flatnonzero(kept == COLON)
    commas = np.searchsorted(np.flatnonzero(kept == COMMA), ends)
    steps = np.diff(commas, prepend=0).reshape(-1, int(wanted)) + 1  # type: ignore[arg-type]
    uneven = (steps != steps[:, :1]).any(1)
    if uneven.any():
        row = int(uneven.argmax())
        raise DataError(
            f"{path}, line {_line_of(block, row, line)}: channels of unequal length "
            f"({steps[row].tolist()}): each step needs a value of every channel, '?' where it is "
            "missing."
        )
    kept[kept == COLON] = COMMA
    flat = _numbers(kept[:-1].tobytes(), int(steps.sum()))
    if flat is None:
        row = _first_wrong(kept, ends, int(wanted))  # type: ignore[arg-type]
        raise DataError(
            f"{path}, line {_line_of(block, row, line)}: a value is no number: expected numbers "
            "separated by commas, '?' where one is missing."
        )
    return _by_step(flat.astype(np.float32), steps), steps[:, 0], labels


def _plain(block: bytes) -> bytes:
    """Return a block without carriage returns, blanks at ends of lines, and with NaN for '?'."""
    for old, new in ((b"\r", b""), (b" ", b""), (b"\t", b""), (b"?", b"nan")):
        if old in block:
            block = block.replace(old, new)
    return block


def _numbers(text: bytes, n: int) -> np.ndarray | None:
    """Return n numbers that commas separate, None where they are not that."""
    with warnings.catch_warnings():
        # What numpy says where it stops before the end.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            found = np.array(np.fromstring(text.decode("ascii"), sep=","))
        except (ValueError, UnicodeDecodeError, DeprecationWarning):
            return None
    return found if len(found) == n else None


def _first_wrong(kept: np.ndarray, ends: np.ndarray, n_channels: int) -> int:
    """Return the first row whose values are no numbers."""
    start = 0
    for row, stop in enumerate(ends[n_channels - 1 :: n_channels].tolist()):
        text = kept[start:stop].tobytes()
        if _numbers(text, text.count(b",") + 1) is None:
            return row
        start = stop + 1
    return 0


def _by_step(flat: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return (s, F) values by step of values that stand channel after channel in every row.

    Args:
        flat: values of all rows.
        steps: (n, F) steps of each channel, equal within a row.
    """
    lengths, n_channels = steps[:, 0], steps.shape[1]
    if n_channels == 1:
        return flat[:, None]
    if (lengths == lengths[0]).all():
        rows = flat.reshape(len(lengths), n_channels, -1)
        return rows.transpose(0, 2, 1).reshape(-1, n_channels)
    first = np.cumsum(lengths) - lengths
    within = np.arange(int(lengths.sum())) - np.repeat(first, lengths)
    start = np.repeat(first * n_channels, lengths) + within
    return flat[start[:, None] + np.repeat(lengths, lengths)[:, None] * np.arange(n_channels)]


def _line_of(block: bytes, row: int, line: int) -> int:
    """Return the number in the file of the row-th line of a block that is not blank."""
    filled = [number for number, text in enumerate(block.split(b"\n")) if text.strip()]
    return line + 1 + filled[row]


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.r_[0, np.cumsum(lengths)].astype(np.int64)
