"""Edits of a checkpoint in the units that they were drawn in."""

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.made_with import described
from rnnrepair.sequences import RoughScale


def check_scale(then: object, now: RoughScale | None) -> None:
    """Refuse a checkpoint whose edits were drawn by another scale of the channels.

    Args:
        then: what the checkpoint says of it; None too where it was written before there was one.
        now: of the data.

    Raises:
        IncompatibleCheckpointError: says what differs.
    """
    if then != described(now):
        raise IncompatibleCheckpointError(
            "The checkpoint's edits of series were drawn in other units than this program draws "
            f"them in (the channels' scale was {then}, it is {described(now)}): another version of "
            "rnnrepair has written it. Start without ckpt_path."
        )
