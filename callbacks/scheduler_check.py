"""Whether schedulers that count batches last as long as a run whose epochs grow."""

import math

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    LRScheduler,
    OneCycleLR,
    PolynomialLR,
    SequentialLR,
)

from rnnrepair.callbacks.epoch_steps import epoch_steps


def check_schedulers(trainer: pl.Trainer, first: int, growth: float) -> None:
    """Refuse a scheduler of a fixed number of batches that ends before the run may.

    Behind its end it would stop the run (one cycle), raise the rate again (cosine) or leave it at 0
    (polynomial). How many samples are injected is known after the first analysis only, so the run's
    number of batches has bounds. Other schedulers are left alone.

    Args:
        trainer: whose optimizers are set up, and whose data hold no injected samples yet.
        first: completed epochs at the first analysis; epochs are as long as ever until then.
        growth: training samples of the longest epoch that there may be, in those of the first.

    Raises:
        MisconfigurationException: names the scheduler with its number of batches and the run's.
    """
    ends = {
        config.scheduler: end * config.frequency
        for config in trainer.lr_scheduler_configs
        if config.interval == "step" and (end := _end_of(config.scheduler)) is not None
    }
    if not ends:
        return
    fewest, most = _batches_of(trainer, first, growth)
    for scheduler, end in ends.items():
        if end < most:
            raise MisconfigurationException(
                f"The scheduler {type(scheduler).__name__} ends after {end} batches, and the run "
                f"makes {fewest} to {most}: injected samples make epochs longer. Let it count "
                f'epochs (interval="epoch" in configure_optimizers), give it at least {most} '
                "batches, or inject less (max_share)."
            )


def _end_of(scheduler: LRScheduler) -> int | None:
    """Return after how many steps a scheduler has come to its end, None where it goes on."""
    end: int | None = None
    if isinstance(scheduler, OneCycleLR):
        end = scheduler.total_steps
    elif isinstance(scheduler, CosineAnnealingLR):
        end = scheduler.T_max
    elif isinstance(scheduler, PolynomialLR):
        end = scheduler.total_iters
    elif isinstance(scheduler, SequentialLR):
        last = _end_of(scheduler._schedulers[-1])
        end = None if last is None else scheduler._milestones[-1] + last
    elif isinstance(scheduler, ChainedScheduler):
        ends = [_end_of(part) for part in scheduler._schedulers]
        end = min((e for e in ends if e is not None), default=None)
    return end


def _batches_of(trainer: pl.Trainer, first: int, growth: float) -> tuple[float, float]:
    """Return how many optimizer steps the run makes at least and at most, 0 where not known."""
    short, long = epoch_steps(trainer), epoch_steps(trainer, growth)
    if short is None or long is None:
        return 0, 0
    given = trainer.max_epochs
    n_epochs = math.inf if given is None or given < 0 else given
    fewest = n_epochs * short
    most = min(first, n_epochs) * short + max(n_epochs - first, 0) * long
    if trainer.max_steps >= 0:
        fewest, most = min(fewest, trainer.max_steps), min(most, trainer.max_steps)
    return fewest, most
