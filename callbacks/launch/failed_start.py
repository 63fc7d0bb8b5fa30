"""Takes back the folder of a run that was refused before its training began."""

import logging
import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback as HydraCallback
from omegaconf import DictConfig
from typing_extensions import override

log = logging.getLogger(__name__)


class RunFolder(HydraCallback):
    """Looks, before Hydra makes the folder of a run, whether it is there already.

    Attributes:
        is_new: whether it was not. Of the class: Hydra keeps the object to itself, and a process
            makes one run.
    """

    is_new: ClassVar[bool] = False

    @override
    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        RunFolder.is_new = not Path(config.hydra.run.dir).exists()


class TrainingBegan(pl.Callback):
    """Remembers whether training has begun."""

    def __init__(self) -> None:
        """It has not."""
        self.known = False

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.known = True


def remove_failed_start(cfg: DictConfig) -> None:
    """Remove the folder of a run, which holds its configuration and looks like one that trained.

    That is the one that Hydra made for it: ``paths.output_dir`` may name any folder of the user's.
    One that was there before the run stays, and one that holds data or caches.
    """
    folder = Path(HydraConfig.get().runtime.output_dir).resolve()
    others = (Path(cfg.paths[name]).resolve() for name in ("data_dir", "cache_dir"))
    if RunFolder.is_new and not any(other.is_relative_to(folder) for other in others):
        log.info("Training had not begun, so %s is removed.", folder)
        shutil.rmtree(folder, ignore_errors=True)
