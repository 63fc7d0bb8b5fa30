"""The only callback that reads the network: when, how, and its reduced states."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from tqdm import tqdm
from typing_extensions import override

from rnnrepair.abstraction import AbstractionSettings, Collected, collect_splits
from rnnrepair.callbacks.analysis import AnalysisCallback, be_heard, log
from rnnrepair.callbacks.base_checkpoint import BaseCheckpoint
from rnnrepair.callbacks.calendar import Calendar
from rnnrepair.callbacks.made_with import check_settings_of, enter_settings
from rnnrepair.network import TracedNetwork, verified
from rnnrepair.network.calls import Call
from rnnrepair.protocols import RepairableData, Split, refusal_of


def repairable_data(trainer: pl.Trainer) -> RepairableData:
    """Return the trainer's data module.

    Raises:
        MisconfigurationException: it does not follow the protocol ``RepairableData``, or the
            trainer is one of the package ``lightning``.
    """
    if any(kind.__module__.split(".")[0] == "lightning" for kind in type(trainer).__mro__):
        raise MisconfigurationException(
            "The trainer is one of the package lightning, whose classes are others than those of "
            "pytorch_lightning, which callbacks and data modules here derive from: write "
            "import pytorch_lightning as pl in the place of import lightning, for the trainer and "
            "for your module."
        )
    data = trainer.datamodule  # type: ignore[attr-defined]
    refusal = (
        "The trainer was given loaders, or nothing: wrap data sets in "
        "rnnrepair.datamodules.DatasetDataModule(train, test), arrays in ArrayDataModule(x, y), "
        "and give that to trainer.fit(network, data)."
        if data is None
        else refusal_of(data)
    )
    if refusal is not None:
        raise MisconfigurationException(refusal)
    return data


def check_hooks(data: RepairableData) -> None:
    """Refuse data that change batches on their way into training, where no analysis would see it.

    Raises:
        MisconfigurationException: names the hook, and where to do it instead.
    """
    for hook in ("on_before_batch_transfer", "on_after_batch_transfer"):
        own = getattr(type(data), hook, None)
        if own is not None and own is not getattr(pl.LightningDataModule, hook):
            raise MisconfigurationException(
                f"{type(data).__name__}.{hook} changes what training is given, and an analysis "
                "reads fetch(index) and loader(split), which do not pass it: change the data "
                "where they are loaded, or in forward of the network."
            )


def check_splits(data: RepairableData) -> None:
    """Refuse data that supply no failures, or nothing to choose by, before any training.

    Raises:
        MisconfigurationException: names the splits that are empty, and what to give.
    """
    empty = [split for split in ("fit", "repair", "val") if len(data.indices(split)) == 0]
    if empty:
        raise MisconfigurationException(
            f"The splits {empty} are empty, which does for explaining a network and not for "
            "training one: give the data repair_share > 0 and, without a val set, val_share > 0."
        )


def view_of(
    trainer: pl.Trainer,
    pl_module: pl.LightningModule,
    data: RepairableData,
    tap: str | None = None,
    call: Call | None = None,
) -> TracedNetwork:
    """Return the verified view of the network that is trained, in the trainer's precision.

    Raises:
        ConfigurationError: the network cannot be read; see ``TracedNetwork.verify``.
    """
    return verified(pl_module, data, tap, call, trainer.precision_plugin.forward_context)


class TraceCollector(AnalysisCallback):
    """Reads the network, in evaluation mode, and knows when.

    Modes and random state are left as they were, so that training goes on as if nobody had looked.
    """

    def __init__(
        self,
        calendar: Calendar | None = None,
        tap: str | None = None,
        call: Call | None = None,
        progress: bool = True,
    ) -> None:
        """Choose when and what is read.

        Args:
            calendar: when the network is analysed; after every epoch where None.
            tap: name of the layer whose outputs are the states; found where None.
            call: calls the network with a batch; found where None (see ``TracedNetwork``).
            progress: show a progress bar, where the trainer shows one.
        """
        super().__init__()
        self.calendar = calendar or Calendar()
        self.tap = tap
        self.call = call
        self.progress = progress
        self._network: TracedNetwork | None = None

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage != "fit":
            return
        be_heard()
        data = repairable_data(trainer)
        check_hooks(data)
        check_splits(data)
        self._tell_if_never(trainer)
        self.progress = self.progress and trainer.progress_bar_callback is not None
        self._network = view_of(trainer, pl_module, data, self.tap, self.call)
        log.info("Reads %s", self._network.describe())

    def made_with(self) -> dict[str, Any]:
        """Return what may not change once a network is analysed; how long there are rounds may."""
        calendar = {"start": self.calendar.start, "every": self.calendar.every}
        return {"calendar": calendar, "tap": self.tap, "call": self.call}

    @override
    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        # Of the whole chain: it is refused in one message.
        enter_settings(trainer, checkpoint)

    @override
    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        check_settings_of(trainer, checkpoint)
        super().on_load_checkpoint(trainer, pl_module, checkpoint)

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        last, done = trainer.max_epochs or -1, self._loaded_epochs
        left = range(done, last + 1) if 0 < done < last else range(0)
        if self.analysed_epoch is None and left and not any(map(self.should_analyse, left)):
            raise MisconfigurationException(
                f"The checkpoint has made {done} epochs, and no later one is analysed, so nothing "
                f"would be repaired: start_epoch={done} begins with the network as it is."
            )
        super().on_fit_start(trainer, pl_module)

    def should_analyse(self, epoch: int) -> bool:
        """Return whether the network is analysed after ``epoch`` completed epochs; override it."""
        return self.calendar.includes(epoch)

    def first_analysis(self, max_epochs: int | None) -> int:
        """Return the completed epochs at the first analysis; ``max_epochs`` where there is none."""
        last = max_epochs if max_epochs is not None and max_epochs >= 0 else self.calendar.start
        return next((epoch for epoch in range(last) if self.should_analyse(epoch)), last)

    def _tell_if_never(self, trainer: pl.Trainer) -> None:
        """Say before any training that this sitting ends before the first analysis."""
        last = trainer.max_epochs
        if last is not None and last >= 0 and not any(map(self.should_analyse, range(last + 1))):
            log.warning(
                "No epoch up to max_epochs=%d is analysed, so nothing will be repaired or "
                "reported: raise max_epochs, or start the calendar earlier (it starts after %d).",
                last,
                self.calendar.start,
            )

    @override
    def is_due(self, trainer: pl.Trainer, epoch: int) -> bool:
        return self.should_analyse(epoch)

    @override
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        """Nothing to do ahead: the network is read when its states are asked for."""

    @property
    def network(self) -> TracedNetwork:
        """The one view of the network."""
        if self._network is None:
            raise MisconfigurationException("TraceCollector has not been set up by a Trainer.")
        return self._network

    def collect(
        self,
        trainer: pl.Trainer,
        splits: Iterable[Split],
        settings: AbstractionSettings,
        epoch: int,
    ) -> Collected:
        """Return the reduced states of some splits, as the network is after ``epoch`` epochs.

        Nothing is kept here. The states that a shared base training leaves behind are collected
        once for all runs that begin with it.
        """
        with self.timed():
            shared = self._shared_states(trainer, settings, epoch)
            if shared is not None and shared.is_file():
                log.info("Reduced states taken from %s", shared)
                return Collected.load(shared)
            data = repairable_data(trainer)
            collected = collect_splits(self.network, data, splits, settings, self._shown)
            if shared is not None:
                collected.save(shared)
            return collected

    def _shared_states(
        self, trainer: pl.Trainer, settings: AbstractionSettings, epoch: int
    ) -> Path | None:
        """Return the file that runs with the same base training share, None where there is none."""
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        bases = [c for c in callbacks if isinstance(c, BaseCheckpoint) and c.base_epochs == epoch]
        return bases[0].states_path(settings, self.tap) if bases else None

    def _shown(self, batches: Iterable[Any], name: str) -> Iterable[Any]:
        """Show a progress bar while batches are read."""
        bars: Iterable[Any] = tqdm(
            batches, f"Collecting {name}", leave=False, disable=not self.progress
        )
        return bars
