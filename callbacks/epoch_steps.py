"""How many optimizer steps an epoch makes."""

import math

import pytorch_lightning as pl
from lightning_fabric.utilities.data import sized_len


def epoch_steps(trainer: pl.Trainer, growth: float = 1.0) -> int | None:
    """Return the optimizer steps of an epoch; None where the loader does not tell its batches.

    Args:
        trainer: with data that are loaded, and a network whose optimizers Lightning steps.
        growth: samples of the epoch, in those that the loader has. Whatever the size of a batch, n
            times as many samples make at most n times as many batches.
    """
    n_batches = sized_len(trainer.datamodule.train_dataloader())  # type: ignore[attr-defined]
    if n_batches is None:
        return None
    batches, limit = math.ceil(n_batches * growth), trainer.limit_train_batches
    kept = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    return math.ceil(kept / trainer.accumulate_grad_batches)
