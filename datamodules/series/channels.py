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
    more = ", ..." if len(names) > LISTED else ""
    return f" ({', '.join(names[:LISTED])}{more})"


def tell_constant(raw: RawSeries, source: str) -> None:
    """Warn of channels that never change within a recording: persons and devices look like that.

    Args:
        raw: recordings with the names of their channels.
        source: what the message calls the data.
    """
    if int(np.diff(raw.offsets).max()) < 2:
        return
    low, high = (extreme.reduceat(raw.values, raw.offsets[:-1]) for extreme in (np.fmin, np.fmax))
    # A recording without any value of a channel says nothing.
    still = ((low == high) | np.isnan(low)).all(0)
    names = [raw.channel(number) for number in np.flatnonzero(still).tolist()]
    if names:
        log.warning(
            "%s: %s the same in every step of each recording: leave what is no measurement out "
            "with channels=%s, or name it with group=.",
            source,
            f"{names[0]} is" if len(names) == 1 else f"{', '.join(names[:LISTED])} are",
            [raw.channel(number) for number in np.flatnonzero(~still).tolist()[:LISTED]],
        )
