"""Edits of a checkpoint in the units that they were drawn in."""

from collections.abc import Mapping
from typing import Any

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.made_with import described
from rnnrepair.sequences import RoughScale

# Entry of the state of the data.
SCALE = "scale"


def check_scale(state: Mapping[str, Any], now: RoughScale | None) -> None:
    """Refuse a checkpoint whose edits were drawn by another scale of the channels.

    Spreads are rounded to powers of two and middles to spreads: where items differ each time they
    are asked for, one step of rounding more or less is the same scale.

    Args:
        state: of the data, from the checkpoint; without an entry where there was no scale yet.
        now: of the data.

    Raises:
        IncompatibleCheckpointError: says what differs.
    """
    then = state.get(SCALE)
    known = SCALE in state or now is None
    if not known or not _close(then, described(now)):
        raise IncompatibleCheckpointError(
            "The checkpoint's edits of series were drawn in other units than this program draws "
            f"them in (the channels' scale was {then}, it is {described(now)}): another version of "
            "rnnrepair has written it. Start without ckpt_path."
        )


def _close(then: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    if then is None and now is None:
        return True
    n_channels = len((then or now or {})["spread"])
    unscaled = {"middle": [0.0] * n_channels, "spread": [1.0] * n_channels}
    a, b = then or unscaled, now or unscaled
    wider = [max(both) for both in zip(a["spread"], b["spread"], strict=True)]
    factors = [x / y for x, y in zip(a["spread"], b["spread"], strict=True)]
    moved = [abs(x - y) for x, y in zip(a["middle"], b["middle"], strict=True)]
    near = all(move <= wide for move, wide in zip(moved, wider, strict=True))
    return near and all(0.5 <= factor <= 2 for factor in factors)
