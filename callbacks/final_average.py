"""Ends a training with the mean of its last weights."""

from typing import Annotated, Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging
from typing_extensions import override

from rnnrepair.settings import at_least, check_settings


class FinalAverage(WeightAveraging):
    """The final network is the mean of the weights after every step of the last epochs.

    Averages, and saves them, as Lightning's callback does (with torch's ``AveragedModel``). That
    one puts its average into validation and checkpoints from the first epoch on, where it is the
    initial network; this one does nothing before its first step. Buffers are those of the last
    step.
    """

    def __init__(self, start_epoch: Annotated[int, at_least(0)] | None = None) -> None:
        """Choose what is averaged.

        Args:
            start_epoch: completed epochs before the first of the averaged ones; None averages
                nothing.

        Raises:
            SettingsError: below 0.
        """
        check_settings(FinalAverage, locals())
        super().__init__(use_buffers=False)
        self.start_epoch = start_epoch

    @property
    def _has_begun(self) -> bool:
        return self._average_model is not None and int(self._average_model.n_averaged) > 0

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self.start_epoch is not None:
            super().setup(trainer, pl_module, stage)

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._has_begun:
            # Weights count after a step: the first batch may make none (accumulated gradients).
            self._latest_update_step = trainer.global_step

    @override
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if self.start_epoch is not None and trainer.current_epoch >= self.start_epoch:
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    @override
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._has_begun:
            super().on_train_end(trainer, pl_module)

    @override
    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._has_begun:
            super().on_validation_epoch_start(trainer, pl_module)

    @override
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._has_begun:
            super().on_validation_epoch_end(trainer, pl_module)

    @override
    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() if self._has_begun else {}

    @override
    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._has_begun:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)

    @override
    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._average_model is not None and "averaging_state" in checkpoint:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
