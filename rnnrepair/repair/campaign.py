"""The plan of a repair: how many samples every round makes, and when it stops."""

from dataclasses import dataclass, field
from typing import Any

from rnnrepair.repair.stop_reason import StopReason
from rnnrepair.scores import Scored
from rnnrepair.settings import Count, check_settings


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
        val: scores on val before the first round and after each round made.
        stopped: why no more rounds are made, None while some may follow.
    """

    budget: Count
    rounds: Count
    patience: Count
    max_samples: int
    rounds_made: int = 0
    samples_per_round: int | None = None
    planned: int = 0
    val: list[Scored] = field(default_factory=list)
    stopped: StopReason | None = None

    def __post_init__(self) -> None:
        """Refuse a plan without rounds or samples.

        Raises:
            SettingsError: names every argument below 1.
        """
        check_settings(Campaign, vars(self))

    def open_round(self, n_failures: int, val: Scored) -> int | None:
        """Return how many samples the round that begins plans, None where none begins any more.

        A round that finds no failures left injects nothing and counts all the same: its epochs
        are made by every strategy.

        Args:
            n_failures: failures on the repair split now.
            val: score on val of the network as it is now.

        Example:
            >>> campaign = Campaign(budget=10, rounds=2, patience=2, max_samples=500)
            >>> first, second = Scored.share(97, 100), Scored.share(98, 100)
            >>> campaign.open_round(30, first), campaign.open_round(9, second)
            (300, 200)
            >>> campaign.open_round(5, second), campaign.stop_reason
            (None, <StopReason.ROUNDS_DONE: 'rounds_done'>)
        """
        if self.stopped is not None:
            return None
        self.val.append(val)
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
        lasting = len(self.since_best) > self.patience
        return StopReason.NO_GAIN_ON_VAL if lasting else None

    def lost(self, val: Scored, first: int) -> bool:
        """Return whether val fell from a round on by more than chance explains.

        Patience would not do: it ends a repair, and leaves in the data what has done the harm.

        Args:
            val: what the network scores now.
            first: number of the round, from 1.
        """
        return self.val[first - 1].fell_to(val)

    @property
    def since_best(self) -> list[float]:
        """Scores on val from the best on, which is the first where several are as good."""
        scores = [scored.value for scored in self.val]
        return scores[scores.index(max(scores)) :] if scores else []

    @property
    def was_rising(self) -> bool:
        """Whether the last round was better than the first after the best: more might help."""
        _, *after = self.since_best or [0.0]
        return len(after) > 1 and after[-1] > after[0]

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
        """Return what has happened so far, and of how many rounds, as plain values."""
        return {
            "rounds": self.rounds,
            "rounds_made": self.rounds_made,
            "samples_per_round": self.samples_per_round,
            "planned": self.planned,
            "val_score": [scored.value for scored in self.val],
            "val_error": [scored.error for scored in self.val],
            "stopped": None if self.stopped is None else self.stopped.value,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what had happened so far."""
        for name in ("rounds_made", "samples_per_round", "planned"):
            setattr(self, name, state[name])
        pairs = zip(state["val_score"], state["val_error"], strict=True)
        self.val = [Scored(value, error) for value, error in pairs]
        self.stopped = None if state["stopped"] is None else StopReason(state["stopped"])
