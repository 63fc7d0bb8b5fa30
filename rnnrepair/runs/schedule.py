"""From step budgets to epochs, and the learning rate over them."""

import math
from dataclasses import dataclass
from typing import Annotated

from rnnrepair.settings import Count, at_least, check_settings


@dataclass(frozen=True)
class Schedule:
    """Epochs of a run.

    Attributes:
        base_epochs: before the first repair.
        round_epochs: after each round of injection.
        final_epochs: at a lower learning rate, after the last round.
        total_epochs: all of them.
        last_analysis: completed epochs at the last round.
    """

    base_epochs: int
    round_epochs: int
    final_epochs: int
    total_epochs: int
    last_analysis: int

    @classmethod
    def from_steps(
        cls,
        *,
        base_steps: Count,
        round_steps: Count,
        final_steps: Annotated[int, at_least(0)],
        rounds: Count,
        steps_per_epoch: Count,
    ) -> "Schedule":
        """Turn step budgets into whole epochs, at least one each (``final_steps=0``: none).

        A budget in steps suits 3,000 sequences as well as 50,000; a number of epochs does not.

        Raises:
            SettingsError: a budget below its least value.

        Example:
            >>> s = Schedule.from_steps(base_steps=2800, round_steps=350, final_steps=350, rounds=3,
            ...                         steps_per_epoch=352)
            >>> s.base_epochs, s.round_epochs, s.final_epochs, s.total_epochs, s.last_analysis
            (8, 1, 1, 12, 10)
        """
        check_settings(cls.from_steps, locals())
        base = math.ceil(base_steps / steps_per_epoch)
        per_round = math.ceil(round_steps / steps_per_epoch)
        final = math.ceil(final_steps / steps_per_epoch)
        return cls(
            base,
            per_round,
            final,
            base + rounds * per_round + final,
            base + (rounds - 1) * per_round,
        )
