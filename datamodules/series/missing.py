"""What becomes of missing values."""

from collections.abc import Sequence

import numpy as np

from rnnrepair.errors import DataError

WAYS = ("error", "interpolate", "zero_with_mask")


def refuse_missing(values: np.ndarray, offsets: np.ndarray, names: Sequence[str]) -> None:
    """Refuse recordings with missing values.

    Args:
        values: (S, F), NaN where a value is missing.
        offsets: (N + 1,) of the recordings.
        names: of the F channels.

    Raises:
        DataError: names the first one, and how many there are.
    """
    step, channel = np.nonzero(np.isnan(values))
    if len(step):
        recording = int(np.searchsorted(offsets, step[0], side="right")) - 1
        raise DataError(
            f"{len(step)} values are missing, the first in recording {recording} (from 0), step "
            f"{int(step[0] - offsets[recording]) + 1}, channel {names[channel[0]]}: fill them in, "
            "or set missing=interpolate or missing=zero_with_mask."
        )


def interpolated(values: np.ndarray, offsets: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return (S, F) values, missing ones on the line between their neighbours in the recording.

    Before the first and behind the last known value of a channel that value is repeated.

    Args:
        values: (S, F), NaN where a value is missing.
        offsets: (N + 1,) of the recordings.
        names: of the F channels.

    Raises:
        DataError: a recording has no value of a channel at all.
    """
    missing = np.isnan(values)
    filled = values.copy()
    step, channel = np.nonzero(missing)
    recording = np.searchsorted(offsets, step, side="right") - 1
    for row, place in sorted(set(zip(recording.tolist(), channel.tolist(), strict=True))):
        line = filled[offsets[row] : offsets[row + 1], place]
        gaps = missing[offsets[row] : offsets[row + 1], place]
        if gaps.all():
            raise DataError(
                f"Recording {row} (from 0) has no value of channel {names[place]}, so that there is"
                " nothing to interpolate: leave it out, or set missing=zero_with_mask."
            )
        steps = np.arange(len(line))
        line[gaps] = np.interp(steps[gaps], steps[~gaps], line[~gaps])
    return filled


def zero_with_mask(values: np.ndarray) -> np.ndarray:
    """Return (S, 2 F): missing values are 0, and F further channels are 1 where a value is known.

    Of scaled values, 0 is the mean.
    """
    known = ~np.isnan(values)
    return np.concatenate([np.where(known, values, 0), known], axis=1).astype(np.float32)
