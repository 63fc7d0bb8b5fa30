"""What is told of the channels of series."""

import logging
from collections.abc import Sequence

import numpy as np

from rnnrepair.datamodules.series.raw import RawSeries

log = logging.getLogger(__name__)

# Names of channels that a message lists.
LISTED = 12


def listed(names: Sequence[str]) -> str:
    """Return the first names in brackets, for the end of a count.

    Example:
        >>> listed(["ax", "ay"])
        ' (ax, ay)'
    """
    return f" ({_first(names)})"


def tell_constant(raw: RawSeries, constant: np.ndarray, source: str, *, asked_for: bool) -> None:
    """Warn of channels that never change, at all or within a recording, as persons and devices do.

    Args:
        raw: all recordings.
        constant: (F,) bool, channels that do not change in the fit split.
        source: what the message calls the data.
        asked_for: whether the channels were named one by one; what differs between recordings is
            meant then.
    """
    still = constant | _still(raw)
    names = np.array([raw.channel(number) for number in range(len(still))])
    # Tables alone name their channels, and are asked for some of them by name.
    kept = f" (of tables with channels={names[~still][:LISTED].tolist()})"
    out = f"leave what is no measurement out{kept if len(raw.channel_names) else ''}"
    if constant.any():
        log.warning(
            "%s: %s the same in every step of the fit split, so that a network learns nothing of "
            "it: %s.",
            source,
            _are(names[constant]),
            out,
        )
    if (still & ~constant).any() and not asked_for:
        log.warning(
            "%s: %s the same in every step of each recording: %s, or name it with group=.",
            source,
            _are(names[still & ~constant]),
            out,
        )


def _still(raw: RawSeries) -> np.ndarray:
    """Return (F,) bool: channels that never change within a recording."""
    if int(np.diff(raw.offsets).max()) < 2:
        return np.zeros(raw.values.shape[1], dtype=bool)
    low, high = (extreme.reduceat(raw.values, raw.offsets[:-1]) for extreme in (np.fmin, np.fmax))
    # A recording without any value of a channel says nothing.
    return np.asarray(((low == high) | np.isnan(low)).all(0))


def _are(names: np.ndarray) -> str:
    told = _first(names.tolist())
    return f"channel {told} is" if len(names) == 1 else f"channels {told} are"


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
