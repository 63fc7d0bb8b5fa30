"""The learning rate of every stage of a run."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


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

    scheduler = LambdaLR(optimizer, factor)
    # Its stages begin anew by themselves: nobody has to put it back (callbacks/from_scratch.py).
    scheduler.counts_all_epochs = True  # type: ignore[attr-defined]
    return scheduler
