"""What the callbacks of the chain have in common: when they run, and whom they read."""

import logging
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback
from pytorch_lightning.trainer.states import TrainerFn
from typing_extensions import override

from rnnrepair.atomic import make_folder
from rnnrepair.errors import IncompatibleCheckpointError

log = logging.getLogger(__name__)


def be_heard() -> None:
    """Show what is logged in a program that has set up no logging of its own, as Lightning does."""
    ours = logging.getLogger("rnnrepair")
    if not ours.hasHandlers():
        ours.addHandler(logging.StreamHandler())
        ours.setLevel(logging.INFO)
        # A program that sets logging up later would see every line twice.
        ours.propagate = False


C = TypeVar("C", bound=Callback)


class AnalysisCallback(Callback):
    """Base of the chain that ends in the repair report.

    A callback runs where those that it reads have just run; the first of the chain
    (``TraceCollector``) alone knows when. That is at the end of a training epoch; where training
    continues from a checkpoint that nobody has analysed (a shared base training, or a network that
    is already trained), it is before the first epoch.
    """

    reads: ClassVar[tuple[type["AnalysisCallback"], ...]] = ()
    # Whether it puts the initial weights back for strategies that train a new network.
    begins_anew: ClassVar[bool] = False

    def __init__(self) -> None:
        """Start with nothing analysed."""
        super().__init__()
        self.seconds = 0.0
        self.analysed_epoch: int | None = None
        self._has_run = False
        self._loaded_epochs = 0
        self._loaded_step = 0

    @abstractmethod
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        """Analyse the network as it is after ``epoch`` completed epochs."""

    def is_due(self, trainer: pl.Trainer, epoch: int) -> bool:
        """Return whether those that this callback reads have run after ``epoch`` epochs."""
        return all(upstream(trainer, kind, self).analysed_epoch == epoch for kind in self.reads)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the seconds of a block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - start

    def log_metrics(self, trainer: pl.Trainer, metrics: Mapping[str, float]) -> None:
        """Send metrics to every logger; works before the first epoch too."""
        step = max(trainer.global_step, self._loaded_step)
        for logger in trainer.loggers:
            logger.log_metrics(dict(metrics), step=step)

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        if trainer.world_size > 1:
            raise MisconfigurationException(
                "The analysis reads the whole training set on one device, but the trainer uses "
                f"{trainer.world_size}: Trainer(devices=1)."
            )
        # Not `analysed_epoch`, which a checkpoint sets too, that of trainer.validate included.
        if self._has_run:
            raise MisconfigurationException(
                f"{type(self).__name__} has analysed a network in an earlier fit, whose results "
                "would be told for those of this one: make the callbacks anew, such as by "
                "repair_chain(), also to go on from a checkpoint."
            )
        for kind in self.reads:
            upstream(trainer, kind, self)

    @override
    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        # The loops are restored after on_fit_start, so the count is read here. `processed`
        # also counts the epoch at whose end the checkpoint was written.
        epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]
        fits = trainer.state.fn == TrainerFn.FITTING
        if fits and epochs["started"] != epochs["processed"]:
            raise IncompatibleCheckpointError(
                f"The checkpoint was written inside epoch {epochs['processed']}. Analyses and "
                "repairs come at the end of an epoch, so a run that goes on from it would be "
                "another one: take a checkpoint of the end of an epoch "
                "(ModelCheckpoint(save_last=True, save_on_train_epoch_end=True))."
            )
        self._loaded_epochs = epochs["processed"]
        self._loaded_step = checkpoint["global_step"]

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Before Lightning makes the first train dataloader: what is injected here is seen.
        epoch = self._loaded_epochs
        if self.analysed_epoch != epoch and self.is_due(trainer, epoch):
            self._run(trainer, pl_module, epoch)

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.is_due(trainer, trainer.current_epoch + 1):
            self._run(trainer, pl_module, trainer.current_epoch + 1)

    def _run(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        self._has_run = True
        self.analyse(trainer, pl_module, epoch)
        self.analysed_epoch = epoch

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"analysed_epoch": self.analysed_epoch, "seconds": self.seconds}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.analysed_epoch = state_dict["analysed_epoch"]
        self.seconds = state_dict["seconds"]


def upstream(trainer: pl.Trainer, kind: type[C], reader: Callback) -> C:
    """Return the callback of a kind that stands before the reader.

    Raises:
        MisconfigurationException: there is none, several, or it stands after the reader.
    """
    found = [c for c in trainer.callbacks if isinstance(c, kind)]  # type: ignore[attr-defined]
    name, asker = kind.__name__, type(reader).__name__
    if len(found) != 1:
        raise MisconfigurationException(
            f"{asker} reads {name}, and the trainer has {len(found)} of it, expected 1: list "
            f"{name} once, before {asker} (Trainer(callbacks=[...]))."
        )
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    if callbacks.index(found[0]) > callbacks.index(reader):
        raise MisconfigurationException(
            f"{asker} reads {name}, which stands after it: put {name} before {asker} in the list "
            "of callbacks."
        )
    return found[0]


@contextmanager
def on_device(trainer: pl.Trainer, pl_module: pl.LightningModule) -> Iterator[None]:
    """Put the network back on the device that it was trained on.

    Lightning moves it to the CPU before ``on_fit_end``, where it would be slow, and would not
    compute in the precision in which it has answered before.
    """
    device = pl_module.device
    pl_module.to(trainer.strategy.root_device)
    try:
        yield
    finally:
        pl_module.to(device)


def output_folder(trainer: pl.Trainer, folder: str | None) -> Path:
    """Return an existing folder that can be written to.

    Raises:
        MisconfigurationException: it cannot be made or written.
    """
    path = Path(folder or trainer.default_root_dir)
    try:
        make_folder(path)
    except OSError as error:
        raise MisconfigurationException(
            f"The output folder {path} cannot be written ({error}): set "
            "output_dir to a folder that can."
        ) from error
    return path
