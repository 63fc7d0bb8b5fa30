"""Ledger and influential samples as W&B tables, where a W&B logger is there."""

from collections.abc import Sequence
from dataclasses import astuple, fields

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor

from rnnrepair.repair import LedgerRow
from rnnrepair.report import FailureCard

MAX_ROWS = 10_000


def log_tables(
    trainer: pl.Trainer, ledger: Sequence[LedgerRow], cards: Sequence[FailureCard]
) -> None:
    """Log the tables to every W&B logger of the trainer."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            _log_tables(logger, ledger[:MAX_ROWS], cards)


def _log_tables(
    logger: WandbLogger, ledger: Sequence[LedgerRow], cards: Sequence[FailureCard]
) -> None:
    import wandb  # slow import, needed only with this logger

    columns: list[str | int] = [f.name for f in fields(LedgerRow)]
    tables = {"repair/ledger": wandb.Table(columns, [list(astuple(row)) for row in ledger])}
    influential = wandb.Table(["failure", "label", "predicted", "step", "nearest", "injected"])
    for card in cards:
        influential.add_data(
            _image(wandb, card.inputs[None]),
            card.label,
            card.predicted,
            card.step,
            _image(wandb, card.nearest),
            _image(wandb, card.injected),
        )
    tables["influence/failures"] = influential
    # No step by hand: together with Lightning's own counter it makes tables vanish.
    logger.experiment.log(tables)


def _image(wandb: object, samples: Tensor) -> object:
    """Return (n, T, F) samples side by side as one picture; one pixel where there are none."""
    if len(samples) == 0:
        return wandb.Image(np.zeros((1, 1), np.uint8))  # type: ignore[attr-defined]
    strip = samples.transpose(0, 1).flatten(1)
    low, high = float(strip.min()), float(strip.max())
    pixels = (strip - low) / max(high - low, 1e-9) * 255
    return wandb.Image(pixels.byte().numpy())  # type: ignore[attr-defined]
