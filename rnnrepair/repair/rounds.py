"""When a repair stops, and the name of the reason."""

from collections.abc import Sequence
from enum import StrEnum


class StopReason(StrEnum):
    """Why no more samples are injected."""

    ROUNDS_DONE = "rounds_done"
    NO_FAILURES = "no_failures"
    NO_GAIN_ON_VAL = "no_gain_on_val"
    SHARE_REACHED = "share_reached"
    NO_CANDIDATES = "no_candidates"
    TRAINING_ENDED = "training_ended"

    @property
    def message(self) -> str:
        """One sentence for people."""
        return {
            StopReason.ROUNDS_DONE: "all repair.rounds were made",
            StopReason.NO_FAILURES: "the repair split holds no failures",
            StopReason.NO_GAIN_ON_VAL: "val accuracy has not risen for repair.patience rounds",
            StopReason.SHARE_REACHED: "injected samples have reached repair.max_share",
            StopReason.NO_CANDIDATES: "the strategy found no sample to inject",
            StopReason.TRAINING_ENDED: "training ended before all repair.rounds were made",
        }[self]


def reason_to_stop(
    *,
    n_failures: int,
    rounds_made: int,
    rounds: int,
    room: int,
    val_accuracy: Sequence[float],
    patience: int,
) -> StopReason | None:
    """Return why the next round should not be made, or None.

    Args:
        n_failures: failures on the repair split now.
        rounds_made: rounds made so far.
        rounds: rounds wanted.
        room: samples that may still be injected.
        val_accuracy: before the first round and after each round made.
        patience: rounds without a new best that are tolerated.

    Example:
        >>> reason_to_stop(n_failures=9, rounds_made=2, rounds=3, room=10,
        ...                val_accuracy=[0.97, 0.96, 0.96], patience=2)
        <StopReason.NO_GAIN_ON_VAL: 'no_gain_on_val'>
    """
    if rounds_made >= rounds:
        return StopReason.ROUNDS_DONE
    if n_failures == 0:
        return StopReason.NO_FAILURES
    if room <= 0:
        return StopReason.SHARE_REACHED
    best = max(range(len(val_accuracy)), key=val_accuracy.__getitem__)
    if rounds_made - best >= patience:
        return StopReason.NO_GAIN_ON_VAL
    return None
