"""Keeps the unrepaired network, and shares it between runs that only differ in what follows."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from typing_extensions import override

from rnnrepair.abstraction import AbstractionSettings, reduction_fingerprint
from rnnrepair.atomic import write_file
from rnnrepair.callbacks.analysis import log
from rnnrepair.safe_loading import read_checkpoint


class BaseCheckpoint(Callback):
    """Saves the checkpoint at the end of the base training, before the first analysis.

    It must stand before ``TraceCollector``: what it saves holds no analysis and no injection. A
    run that takes the base from elsewhere gets the same file, as a hard link where that is
    possible, so that a sweep holds its base once.
    """

    def __init__(
        self, path: str | Path, base_epochs: int, shared: str | Path | None = None
    ) -> None:
        """Take the files and the length of the base training.

        Args:
            path: of the unrepaired network, in the folder of the run.
            base_epochs: completed epochs at its end.
            shared: where other runs find it (its name is a fingerprint); None shares nothing.
        """
        self.path = Path(path)
        self.base_epochs = base_epochs
        self.shared = None if shared is None else Path(shared)

    def states_path(self, settings: AbstractionSettings, tap: str | None) -> Path | None:
        """Return the file of the reduced states that a shared base training leaves behind.

        They depend on the reduction alone, not on how states are grouped: a sweep over the number
        of states collects and reduces once.

        Args:
            settings: of the abstraction.
            tap: name of the layer whose outputs are the states, where the user named one.

        Returns:
            None where nothing is shared.
        """
        if self.shared is None:
            return None
        name = f"{self.shared.stem}-{reduction_fingerprint(settings, tap)[:12]}.safetensors"
        return self.shared.with_name(name)

    def check_kept(self, trainer: pl.Trainer, asker: str) -> None:
        """Refuse a training, as it starts, of which the unrepaired network will not be known.

        Args:
            trainer: that has begun.
            asker: the argument that needs the network.

        Raises:
            MisconfigurationException: names the file that is missing.
        """
        if trainer.current_epoch >= self.base_epochs and not self.path.is_file():
            raise MisconfigurationException(
                f"{asker} needs the unrepaired network, and there is no {self.path}: put "
                f"{self.path.name} of the run beside the checkpoint that training goes on from, "
                f"or go on without {asker}."
            )

    def weights(self) -> dict[str, Any]:
        """Return the weights of the unrepaired network, by name, on the CPU.

        Raises:
            IncompatibleCheckpointError: its file is damaged, or missing (see ``check_kept``).
        """
        saved: dict[str, Any] = read_checkpoint(self.path)["state_dict"]
        return saved

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.ckpt_path is None:
            return
        # The run goes on from the shared base, or from a run that keeps its own.
        start = Path(trainer.ckpt_path)
        base = start if start == self.shared else start.with_name(self.path.name)
        if base.is_file():
            _link(base, self.path)

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch >= self.base_epochs and not self.path.is_file():
            log.warning(
                "There will be no %s: the base training has ended, and no such file stands beside "
                "the checkpoint that this run goes on from.",
                self.path,
            )

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch + 1 != self.base_epochs:
            return
        with write_file(self.path) as draft:
            trainer.save_checkpoint(draft, weights_only=False)  # the optimizer too
        # Lightning lets such a scheduler look at val after this hook: who goes on from here would
        # miss that look.
        looks = (isinstance(c.scheduler, ReduceLROnPlateau) for c in trainer.lr_scheduler_configs)
        if self.shared is not None and not self.shared.exists() and not any(looks):
            _link(self.path, self.shared)

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # The checkpoint holds the rate of the epoch that followed in the run that wrote it; what
        # follows here may be another one.
        if trainer.current_epoch == self.base_epochs:
            for config in trainer.lr_scheduler_configs:
                if config.interval == "epoch" and isinstance(config.scheduler, LambdaLR):
                    _set_rates(config.scheduler, trainer.current_epoch)


def _link(source: Path, target: Path) -> None:
    """Let a second name stand for a file; a copy where the file system has no links."""
    if target.exists() and target.samefile(source):
        return
    with write_file(target) as draft:
        try:
            os.link(source, draft)
        except OSError as error:
            log.info("%s is copied to %s: it cannot be linked (%s).", source, target, error)
            shutil.copyfile(source, draft)


def _set_rates(scheduler: LambdaLR, epoch: int) -> None:
    """Give every parameter group the rate that the scheduler wants in an epoch."""
    for group, rate, factor in zip(
        scheduler.optimizer.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True
    ):
        group["lr"] = rate * factor(epoch)
