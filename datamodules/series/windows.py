"""Windows of recordings."""

import logging
from dataclasses import replace

import numpy as np

from rnnrepair.datamodules.series.recordings import Recordings
from rnnrepair.errors import DataError

log = logging.getLogger(__name__)

# Recordings that are shorter than a window, as a share of all, at most.
MOST_LEFT_OUT = 0.5


def window_steps(
    offsets: np.ndarray, window: int, stride: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where windows of equal length lie: as many as fit into each recording.

    Steps at the end of a recording that fill no window are in none.

    Args:
        offsets: (N + 1,) of the recordings.
        window: steps of a window.
        stride: steps from the start of a window to that of the next.

    Returns:
        (S,) steps of all windows one behind the other, their (M + 1,) offsets, and the (M,)
        recording that each is of.
    """
    lengths = np.diff(offsets)
    count = np.maximum((lengths - window) // stride + 1, 0)
    recording = np.repeat(np.arange(len(lengths)), count)
    number = np.arange(len(recording)) - np.repeat(np.cumsum(count) - count, count)
    start = offsets[:-1][recording] + number * stride
    steps = (start[:, None] + np.arange(window)).reshape(-1)
    return steps, np.arange(len(recording) + 1) * window, recording


def windows_of(recordings: Recordings, window: int, stride: int) -> Recordings:
    """Return windows of recordings; those of one recording are a group, unless it has a larger one.

    Args:
        recordings: N of them.
        window: steps of a window.
        stride: steps from the start of a window to that of the next.

    Raises:
        DataError: no recording is as long as a window, or less than half of them.
    """
    lengths = np.diff(recordings.offsets)
    steps, offsets, of = window_steps(recordings.offsets, window, stride)
    if len(of) == 0:
        raise DataError(
            f"window={window} is longer than every recording, the longest has {int(lengths.max())} "
            "steps: lower it."
        )
    short = int((lengths < window).sum())
    if short > MOST_LEFT_OUT * len(lengths):
        raise DataError(
            f"window={window} leaves out {short} of {len(lengths)} recordings, which are shorter: "
            f"lower it (half of them have at least {int(np.median(lengths))} steps, the shortest "
            f"{int(lengths.min())}), or give no window: recordings may be of any length."
        )
    if short:
        log.warning(
            "%d of %d recordings are shorter than window=%d (the shortest has %d steps) and are "
            "left out.",
            short,
            len(lengths),
            window,
            int(lengths.min()),
        )
    unread = int(lengths[lengths >= window].sum()) - len(np.unique(steps))
    if unread:
        log.info(
            "%d of %d steps are in no window of %d, at the ends of recordings or between windows.",
            unread,
            int(lengths.sum()),
            window,
        )
    group = of if recordings.group is None else recordings.group[of]
    first = steps[offsets[:-1]] - recordings.offsets[of] + 1
    names = recordings.names.values[of].tolist()
    named = replace(
        recordings.names,
        values=np.array([f"{name} step {step}" for name, step in zip(names, first, strict=True)]),
        told=f"{recordings.names.told}, and the first step of the window, from 1",
    )
    columns = {name: values[of] for name, values in recordings.columns.items()}
    return Recordings(
        recordings.values[steps],
        offsets,
        recordings.label[of],
        recordings.part[of],
        group,
        named,
        columns,
    )
