"""Seeds every epoch by its number, so that a resumed run draws what an uninterrupted one draws."""

import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback
from typing_extensions import override

from rnnrepair.seeding import derive_seed


class EpochSeed(Callback):
    """Checkpoints hold no random state; dropout would differ after a resume without this."""

    def __init__(self, seed: int) -> None:
        """Set the seed of the run."""
        self.seed = seed

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        torch.manual_seed(derive_seed(self.seed, "epoch", trainer.current_epoch))
