"""The plan of a repair: how many samples every round makes, and when it stops."""

from dataclasses import dataclass, field
from typing import Any

from rnnrepair.repair.stop_reason import StopReason
from rnnrepair.settings import Count, check_settings


def twice_standard_error(share: float, n: int) -> float:
    """Return what chance alone explains of a difference from a share of ``n`` samples."""
    return float(2 * (share * (1 - share) / n) ** 0.5)


@dataclass
class Campaign:
    """Budget and rounds of a repair; the same for every strategy, so that they can be compared.

    A round plans ``budget`` samples per failure of the *unrepaired* network. Later rounds spread
    the same number over the failures that are left, so that a strategy that repairs more does not
    get less. Where a strategy makes fewer samples than planned, as many original samples are drawn
    in their place: all strategies make the same optimizer steps.

    Attributes:
        budget: samples per failure of the unrepaired network and round.
        rounds: rounds at most.
        patience: rounds without a new best score on val that are tolerated.
        max_samples: planned samples at most, over all rounds.
        rounds_made: rounds made so far.
        samples_per_round: None before the first.
        planned: samples planned so far.
        val_score: before the first round and after each round made.
        stopped: why no more rounds are made, None while some may follow.
    """

    budget: Count
    rounds: Count
    patience: Count
    max_samples: int
    rounds_made: int = 0
    samples_per_round: int | None = None
    planned: int = 0
    val_score: list[float] = field(default_factory=list)
    stopped: StopReason | None = None

    def __post_init__(self) -> None:
        """Refuse a plan without rounds or samples.

        Raises:
            SettingsError: names every argument below 1.
        """
        check_settings(Campaign, vars(self))

    def open_round(self, n_failures: int, val_score: float) -> int | None:
        """Return how many samples the round that begins plans, None where none begins any more.

        A round that finds no failures left injects nothing and counts all the same: its epochs
        are made by every strategy.

        Args:
            n_failures: failures on the repair split now.
            val_score: of the network as it is now.

        Example:
            >>> campaign = Campaign(budget=10, rounds=2, patience=2, max_samples=500)
            >>> campaign.open_round(30, 0.97), campaign.open_round(9, 0.98)
            (300, 200)
            >>> campaign.open_round(5, 0.98), campaign.stop_reason
            (None, <StopReason.ROUNDS_DONE: 'rounds_done'>)
        """
        if self.stopped is not None:
            return None
        self.val_score.append(val_score)
        if self.samples_per_round is None:
            self.samples_per_round = self.budget * n_failures
        self.stopped = self._reason()
        if self.stopped is not None:
            return None
        wanted = min(self.samples_per_round, self.max_samples - self.planned)
        self.rounds_made += 1
        self.planned += wanted
        return wanted

    def _reason(self) -> StopReason | None:
        if self.rounds_made >= self.rounds:
            return StopReason.ROUNDS_DONE
        if self.samples_per_round == 0:
            return StopReason.NO_FAILURES
        if self.planned >= self.max_samples:
            return StopReason.SHARE_REACHED
        best = max(range(len(self.val_score)), key=self.val_score.__getitem__)
        return StopReason.NO_GAIN_ON_VAL if self.rounds_made - best >= self.patience else None

    def lost(self, val_score: float, n_val: int) -> bool:
        """Return whether val fell over the last round by more than chance explains.

        That is by more than twice the standard error of the score before it. Patience would not do:
        it ends a repair, and leaves in the data what has done the harm.

        Args:
            val_score: of the network as the round has left it.
            n_val: val sequences.
        """
        if self.rounds_made == 0:
            return False
        before = self.val_score[self.rounds_made - 1]
        return before - val_score > twice_standard_error(before, n_val)

    def planned_after(self, n_rounds: int) -> int:
        """Return how many samples ``n_rounds`` rounds plan together."""
        n_rounds = min(max(n_rounds, 0), self.rounds)
        return min(n_rounds * (self.samples_per_round or 0), self.max_samples)

    @property
    def stop_reason(self) -> StopReason:
        """Why no more samples are injected (as far as is known now)."""
        if self.stopped is not None:
            return self.stopped
        done = self.rounds_made >= self.rounds
        return StopReason.ROUNDS_DONE if done else StopReason.TRAINING_ENDED

    def state_dict(self) -> dict[str, Any]:
        """Return what has happened so far, as plain values."""
        return {
            "rounds_made": self.rounds_made,
            "samples_per_round": self.samples_per_round,
            "planned": self.planned,
            "val_score": list(self.val_score),
            "stopped": None if self.stopped is None else self.stopped.value,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what had happened so far."""
        for name in ("rounds_made", "samples_per_round", "planned"):
            setattr(self, name, state[name])
        self.val_score = list(state["val_score"])
        self.stopped = None if state["stopped"] is None else StopReason(state["stopped"])
