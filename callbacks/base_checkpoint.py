"""Shares one base training between the runs that only differ in what comes after it."""

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning import Callback
from typing_extensions import override

from rnnrepair.atomic import write_file


class BaseCheckpoint(Callback):
    """Saves the checkpoint at the end of the base training, before the first analysis.

    It must stand before ``TraceCollector``: what it saves holds no analysis and no injection.
    """

    def __init__(self, path: str | Path, base_epochs: int) -> None:
        """Set up the file (its name is a fingerprint) and the length of the base training."""
        self.path = Path(path)
        self.base_epochs = base_epochs

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch + 1 == self.base_epochs and not self.path.exists():
            with write_file(self.path) as draft:
                trainer.save_checkpoint(draft, weights_only=False)  # the optimizer too
