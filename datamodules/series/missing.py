"""What becomes of missing values."""

import numpy as np

from rnnrepair.datamodules.series.raw import RawSeries
from rnnrepair.errors import DataError

WAYS = ("error", "interpolate", "zero_with_mask")


def refuse_missing(raw: RawSeries, way: str, id_column: str) -> None:
    """Refuse recordings with missing values that nothing is made of.

    Args:
        raw: recordings as they stand in the files.
        way: one of ``WAYS``.
        id_column: column whose values messages call recordings by, where there is one.

    Raises:
        DataError: values are infinite; ``error``, and values are missing; or ``interpolate``, and a
            recording has no value of a channel. Names the first one.
    """
    infinite = np.isinf(raw.values)
    if infinite.any():  # before scaling, which would spread them over all recordings
        raise DataError(
            f"{_first(infinite, 'infinite', raw, id_column)}: write what was measured, or leave "
            "the field empty and set missing=interpolate or missing=zero_with_mask."
        )
    missing = np.isnan(raw.values)
    if way == "error" and missing.any():
        raise DataError(
            f"{_first(missing, 'missing', raw, id_column)}: fill them in, or set "
            "missing=interpolate or missing=zero_with_mask."
        )
    if way == "interpolate" and missing.any():
        unknown = np.add.reduceat(missing, raw.offsets[:-1], axis=0, dtype=np.int64)
        nothing = np.argwhere(unknown == np.diff(raw.offsets)[:, None])
        if len(nothing):
            raise DataError(
                f"There is no value of channel {raw.channel(int(nothing[0, 1]))} in "
                f"{raw.called(int(nothing[0, 0]), id_column)}, so nothing to interpolate: leave "
                "that out, or set missing=zero_with_mask."
            )


def _first(such: np.ndarray, what: str, raw: RawSeries, id_column: str) -> str:
    """Return how many of (S, F) values are so, and where the first is."""
    step, channel = (int(place[0]) for place in np.nonzero(such))
    recording = int(np.searchsorted(raw.offsets, step, side="right")) - 1
    n = int(such.sum())
    return (
        f"{'1 value is' if n == 1 else f'{n} values are'} {what}, the first in "
        f"{raw.called(recording, id_column)}, step {step - int(raw.offsets[recording]) + 1}, "
        f"channel {raw.channel(channel)}"
    )


def interpolated(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return (S, F) values, missing ones on the line between their neighbours in the recording.

    Before the first and behind the last known value of a channel that value is repeated.

    Args:
        values: (S, F), NaN where a value is missing; some are known of each recording and channel.
        offsets: (N + 1,) of the recordings.
    """
    missing = np.isnan(values)
    filled = values.copy()
    step, channel = np.nonzero(missing)
    recording = np.searchsorted(offsets, step, side="right") - 1
    for row, place in sorted(set(zip(recording.tolist(), channel.tolist(), strict=True))):
        line = filled[offsets[row] : offsets[row + 1], place]
        gaps = missing[offsets[row] : offsets[row + 1], place]
        steps = np.arange(len(line))
        line[gaps] = np.interp(steps[gaps], steps[~gaps], line[~gaps])
    return filled


def zero_with_mask(values: np.ndarray) -> np.ndarray:
    """Return (S, 2 F): missing values are 0, and F further channels are 1 where a value is known.

    Of scaled values, 0 is the mean.
    """
    known = ~np.isnan(values)
    return np.concatenate([np.where(known, values, 0), known], axis=1).astype(np.float32)
