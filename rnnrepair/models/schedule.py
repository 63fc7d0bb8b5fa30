"""From step budgets to epochs, and the learning rate over them."""

import math
from dataclasses import dataclass
from typing import Annotated

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

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


def staged_rates(
    optimizer: Optimizer,
    base_epochs: int,
    total_epochs: int,
    settle_epochs: int = 0,
    settle_factor: float = 1.0,
    round_factor: float = 1.0,
    final_epochs: int = 0,
    final_factor: float = 1.0,
    anew_epoch: int | None = None,
) -> LambdaLR:
    """Return a scheduler that multiplies the learning rate by a factor in each stage of a run.

    The lambda is not part of the scheduler's state, so that one base training can be continued
    by runs of different lengths.

    Args:
        optimizer: whose rate it is.
        base_epochs: epochs before the first repair.
        total_epochs: all epochs.
        settle_epochs: the last of the base epochs, in which the network settles.
        settle_factor: on the rate in those.
        round_factor: on the rate between the base and the final epochs.
        final_epochs: the last of all epochs.
        final_factor: on the rate in those.
        anew_epoch: epochs after which all stages begin once more (for strategies that train a new
            network), None for never; they are among ``total_epochs``.
    """

    def factor(epoch: int) -> float:
        if anew_epoch is not None and epoch >= anew_epoch:
            return stage(epoch - anew_epoch, total_epochs - anew_epoch)
        return stage(epoch, total_epochs)

    def stage(epoch: int, total_epochs: int) -> float:
        if epoch >= total_epochs - final_epochs:
            return final_factor
        if epoch >= base_epochs:
            return round_factor
        return settle_factor if epoch >= base_epochs - settle_epochs else 1.0

    return LambdaLR(optimizer, factor)
