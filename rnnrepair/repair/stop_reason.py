"""When a repair stops: the name of the reason."""

from enum import StrEnum


class StopReason(StrEnum):
    """Why no more samples are injected."""

    ROUNDS_DONE = "rounds_done"
    NO_FAILURES = "no_failures"
    NO_GAIN_ON_VAL = "no_gain_on_val"
    SHARE_REACHED = "share_reached"
    TRAINED_ANEW = "trained_anew"
    TRAINING_ENDED = "training_ended"
    TAKEN_BACK = "taken_back"

    @property
    def message(self) -> str:
        """One sentence for people."""
        return {
            StopReason.ROUNDS_DONE: "all rounds were made",
            StopReason.NO_FAILURES: "the repair split holds no failures",
            StopReason.NO_GAIN_ON_VAL: "the score on val has not risen for too many rounds",
            StopReason.SHARE_REACHED: "planned samples have reached their largest share",
            StopReason.TRAINED_ANEW: "a new network was trained on all the data instead",
            StopReason.TRAINING_ENDED: "training ended before all rounds were made",
            StopReason.TAKEN_BACK: "rounds were taken back by hand",
        }[self]

    @property
    def advice(self) -> str:
        """What makes more rounds, by the arguments that end them; empty where nothing does."""
        return {
            StopReason.NO_FAILURES: "raise repair_share to look at more samples",
            StopReason.NO_GAIN_ON_VAL: "raise patience to go on all the same",
            StopReason.SHARE_REACHED: "raise max_share, or lower budget",
            StopReason.TRAINING_ENDED: "let training last longer",
        }.get(self, "")
