"""Refuses to go on from a checkpoint with other rounds than it was planned with."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rnnrepair.callbacks.calendar import Calendar
from rnnrepair.errors import IncompatibleCheckpointError

if TYPE_CHECKING:
    from rnnrepair.callbacks.repair_injection import RepairInjection


def check_rounds_of(
    saved: Mapping[str, Any], injection: "RepairInjection", calendar: Calendar, epoch: int
) -> None:
    """Refuse other rounds, or another release of the repair split, once that makes a difference.

    Args:
        saved: state of the injection in the checkpoint.
        injection: that goes on.
        calendar: when there are rounds.
        epoch: completed epochs of the checkpoint.

    Raises:
        IncompatibleCheckpointError: names both values.
    """
    made, rounds = saved["campaign"], injection.campaign.rounds
    if saved["analysed_epoch"] is not None:
        check_rounds(
            planned=made["rounds"],
            rounds=rounds,
            calendar=calendar,
            epoch=epoch,
            anew=injection.strategy.starts_anew,
        )
    due = made["stopped"] is None and made["rounds_made"] < rounds
    check_release(saved["release_epoch"], injection.release_epoch, epoch, rounds_due=due)


def check_rounds(*, planned: int, rounds: int, calendar: Calendar, epoch: int, anew: bool) -> None:
    """Refuse more or fewer rounds than were planned, where the run would have gone another way.

    It goes the same way as long as the first round that only one of the two has is still to come.

    Args:
        planned: rounds of the run that wrote the checkpoint.
        rounds: of this one.
        calendar: when there are rounds.
        epoch: completed epochs of the checkpoint.
        anew: whether the strategy trains a new network, which mirrors all rounds.

    Raises:
        IncompatibleCheckpointError: names both numbers.
    """
    due = calendar.start + min(planned, rounds) * calendar.every
    to_come = epoch < due or (epoch == due and rounds > planned)
    if rounds != planned and (anew or not to_come):
        raise IncompatibleCheckpointError(
            f"rounds={rounds} (it had {planned}): the checkpoint that training goes on from has "
            f"made {epoch} epochs, and what follows the first {min(planned, rounds)} rounds has "
            "begun, so that other rounds would make another run: give the old value back, or "
            "start anew without ckpt_path."
        )


def check_release(planned: int | None, now: int | None, epoch: int, *, rounds_due: bool) -> None:
    """Refuse to move the epoch from which the repair split is trained on, once it has come.

    Where no round is to come, no failures are looked for, and nothing is wrong with it.

    Args:
        planned: of the run that wrote the checkpoint; None for never.
        now: of this one.
        epoch: completed epochs of the checkpoint.
        rounds_due: whether rounds may follow.

    Raises:
        IncompatibleCheckpointError: failures would be drawn from what has been trained on.
    """
    come = [release for release in (planned, now) if release is not None and release <= epoch]
    if planned != now and come and rounds_due:
        raise IncompatibleCheckpointError(
            f"The checkpoint has made {epoch} epochs and was planned to train on the repair split "
            f"after {planned}, now after {now}: rounds would draw failures from what has been "
            "trained on. Let the epochs before the final ones be as many as they were (a longer "
            "end takes more final epochs), or start anew without ckpt_path."
        )
