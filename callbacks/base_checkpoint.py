"""Shares one base training between the runs that only differ in what comes after it."""

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning import Callback
from torch.optim.lr_scheduler import LambdaLR
from typing_extensions import override

from rnnrepair import abstraction, network
from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.atomic import write_file
from rnnrepair.fingerprint import fingerprint_config, fingerprint_files

# Files of the abstraction that shape reduced states.
REDUCING = ("collect.py", "fit.py", "reduced.py", "reduction.py")


class BaseCheckpoint(Callback):
    """Saves the checkpoint at the end of the base training, before the first analysis.

    It must stand before ``TraceCollector``: what it saves holds no analysis and no injection.
    """

    def __init__(self, path: str | Path, base_epochs: int) -> None:
        """Take the file (its name is a fingerprint) and the length of the base training."""
        self.path = Path(path)
        self.base_epochs = base_epochs

    def states_path(self, settings: AbstractionSettings, tap: str | None) -> Path:
        """Return the file of the reduced states that the base training leaves behind.

        They depend on the reduction alone, not on how states are grouped: a sweep over the number
        of states collects and reduces once.

        Args:
            settings: of the abstraction.
            tap: name of the layer whose outputs are the states, where the user named one.
        """
        reduction = {
            "dims": settings.reduction_dims,
            "sequences": settings.fit_sequences,
            "seed": settings.seed,
            "tap": tap,
            "code": fingerprint_files(
                [
                    *(Path(abstraction.__path__[0]) / name for name in REDUCING),
                    *Path(network.__path__[0]).glob("*.py"),
                ]
            ),
        }
        name = f"{self.path.stem}-{fingerprint_config(reduction)[:12]}.safetensors"
        return self.path.with_name(name)

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch + 1 == self.base_epochs and not self.path.exists():
            with write_file(self.path) as draft:
                trainer.save_checkpoint(draft, weights_only=False)  # the optimizer too

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # The checkpoint holds the rate of the epoch that followed in the run that wrote it; what
        # follows here may be another one.
        if trainer.current_epoch == self.base_epochs:
            for config in trainer.lr_scheduler_configs:
                if isinstance(config.scheduler, LambdaLR):
                    _set_rates(config.scheduler, trainer.current_epoch)


def _set_rates(scheduler: LambdaLR, epoch: int) -> None:
    """Give every parameter group the rate that the scheduler wants in an epoch."""
    for group, rate, factor in zip(
        scheduler.optimizer.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True
    ):
        group["lr"] = rate * factor(epoch)
