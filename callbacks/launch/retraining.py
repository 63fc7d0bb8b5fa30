"""Trains the network of a run again, for studies: see ``rnnrepair.studies.training``."""

import copy
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import Callback
from torch import Tensor
from typing_extensions import override

from rnnrepair.errors import ConfigurationError
from rnnrepair.models import (
    PADDING,
    Clipping,
    can_stack,
    pays,
    relabelled,
    train_stacked,
)
from rnnrepair.network import TracedNetwork, verified
from rnnrepair.seeding import derive_seed
from rnnrepair.sequences import Changes, SequenceBatch
from rnnrepair.studies import Retraining

# Networks that are stacked at the same time: bounds the memory.
AT_A_TIME = 64


class TrainAgain:
    """Trains as the configuration of a run does in its base epochs, on the data as they came.

    Networks are trained one after another by Lightning, or as one stack where that is faster.
    """

    def __init__(self, cfg: DictConfig, datamodule: Any) -> None:
        """Take a run.

        Args:
            cfg: its configuration, with a schedule that is filled in.
            datamodule: set up; as it is now, it is trained on.
        """
        self._cfg = cfg
        self._data = datamodule
        self._as_loaded = copy.deepcopy(datamodule.state_dict())

    def __call__(
        self,
        trainings: Sequence[Retraining],
        *,
        epochs: int | None = None,
        start: Mapping[str, Tensor] | None = None,
    ) -> list[TracedNetwork]:
        """Return a trained network for each training; see ``Train``."""
        for training in trainings:
            _check(training.changes)
        if not hasattr(self._data, "seed"):
            raise ConfigurationError(
                f"Training within a study sets the order of {type(self._data).__name__}, which has "
                "no attribute seed: expected one that its train_dataloader() reads."
            )
        epochs = self._cfg.schedule.base_epochs if epochs is None else epochs
        with torch.random.fork_rng(), _quiet(), self._data_as_loaded():
            modules = [self._network(training.seed, start) for training in trainings]
            for seed in dict.fromkeys(training.seed for training in trainings):
                rows = [row for row, training in enumerate(trainings) if training.seed == seed]
                changes = [trainings[row].changes for row in rows]
                self._train([modules[row] for row in rows], changes, seed, epochs)
        collector = self._cfg.callbacks.get("trace_collector") or {}
        return [verified(module, self._data, collector.get("tap")) for module in modules]

    def _network(self, seed: int, start: Mapping[str, Tensor] | None) -> pl.LightningModule:
        torch.manual_seed(seed)
        make_model = instantiate(self._cfg.model, _partial_=True, _convert_="all")
        module: pl.LightningModule = make_model(**self._data.model_arguments())
        if start is not None:
            module.load_state_dict(start)
        return module

    def _train(
        self,
        modules: Sequence[pl.LightningModule],
        changes: Sequence[Changes],
        seed: int,
        epochs: int,
    ) -> None:
        """Train networks of one seed: they see the same batches, but for what is changed."""
        self._data.seed = seed
        trainer = self._trainer(seed, epochs)
        if not _stacks(modules, changes, trainer):
            for module, own in zip(modules, changes, strict=True):
                trainer = self._trainer(seed, epochs)
                loader = self._data.train_dataloader()
                # The run that asks may be in a later one, and Lightning tells epochs from 1 on.
                loader.sampler.set_epoch(0)
                trainer.fit(module, ChangedBatches(loader, own))
            return
        clipping = Clipping(
            trainer.gradient_clip_val, trainer.gradient_clip_algorithm in (None, "norm")
        )
        for first in range(0, len(modules), AT_A_TIME):
            part = slice(first, first + AT_A_TIME)
            stacked = [m.to(trainer.strategy.root_device) for m in modules[part]]
            train_stacked(
                stacked,  # type: ignore[arg-type]  # see _stacks
                changes[part],
                self._epochs(epochs),
                clipping,
                lambda epoch, number: seed_batch(seed, epoch, number),
            )

    def _trainer(self, seed: int, epochs: int) -> pl.Trainer:
        """Return the run's trainer without anything that looks at training or leaves files."""
        trainer: pl.Trainer = instantiate(
            self._cfg.trainer,
            max_epochs=epochs,
            callbacks=[SeededBatches(seed)],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
            _convert_="all",
        )
        return trainer

    def _epochs(self, epochs: int) -> Iterator["ChangedBatches"]:
        """Yield the batches of every epoch, nothing left out."""
        loader = self._data.train_dataloader()
        for epoch in range(epochs):
            loader.sampler.set_epoch(epoch)
            yield ChangedBatches(loader, Changes())

    @contextmanager
    def _data_as_loaded(self) -> Iterator[None]:
        """Leave out what a repair has changed, and put it back."""
        before, seed = self._data.state_dict(), self._data.seed
        self._data.load_state_dict(self._as_loaded)
        try:
            yield
        finally:
            self._data.seed = seed
            self._data.load_state_dict(before)


class ChangedBatches:
    """The batches of a loader after some changes of its sequences.

    What is drawn for the batches (order, augmentation) is drawn as if nothing were changed. A batch
    of which nothing is left is skipped; so nobody knows how many there are before they are read.
    """

    def __init__(self, loader: Any, changes: Changes) -> None:
        """Take the loader of the unchanged data."""
        self.sampler = loader.sampler  # Lightning tells it the epoch
        self._loader = loader
        self._changes = changes

    def __iter__(self) -> Iterator[SequenceBatch]:
        for batch in self._loader:
            if not isinstance(batch, SequenceBatch):
                raise ConfigurationError(
                    "Training within a study leaves sequences out of their batches, and these data "
                    f"are given as {type(batch).__name__}: expected batches of SequenceBatch, as "
                    "ArrayDataModule and the data modules of files give them."
                )
            kept = ~torch.isin(batch.index, self._changes.removed)
            batch = replace(batch, label=relabelled(batch, self._changes))
            if self._changes.origin is not None:
                kept |= torch.isin(batch.index, self._changes.origin)
                batch = replaced(batch, self._changes)
            if bool(kept.any()):
                yield batch if bool(kept.all()) else batch.rows(kept.nonzero()[:, 0])


class SeededBatches(Callback):
    """Seeds every batch by its number: what a network drops does not depend on those before."""

    def __init__(self, seed: int) -> None:
        """Take the seed of the training."""
        self.seed = seed

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        seed_batch(self.seed, trainer.current_epoch, batch_idx)


def seed_batch(seed: int, epoch: int, number: int) -> None:
    """Seed what dropout draws in a batch."""
    torch.manual_seed(derive_seed(seed, "retraining", epoch, number))


def replaced(batch: SequenceBatch, changes: Changes) -> SequenceBatch:
    """Return a batch in which new sequences stand where those are that they were made from."""
    if changes.inputs is None or changes.origin is None:
        return batch
    rows, new = (batch.index[:, None] == changes.origin).nonzero(as_tuple=True)
    if len(rows) == 0:
        return batch
    lengths, label = batch.lengths.clone(), batch.label.clone()
    lengths[rows], label[rows] = changes.lengths[new], changes.label[new]
    n_steps = max(batch.inputs.shape[1], int(lengths.max()))
    padding = 0 if batch.inputs.is_floating_point() else PADDING
    shape = (len(batch), n_steps, *batch.inputs.shape[2:])
    inputs = batch.inputs.new_full(shape, padding)
    inputs[:, : batch.inputs.shape[1]] = batch.inputs
    inputs[rows] = padding
    for row, own in zip(rows.tolist(), new.tolist(), strict=True):
        length = int(changes.lengths[own])
        inputs[row, :length] = changes.inputs[own, :length].to(inputs)
    return replace(batch, inputs=inputs, lengths=lengths, label=label)


def _stacks(modules: Sequence[Any], changes: Sequence[Changes], trainer: pl.Trainer) -> bool:
    """Return whether networks are trained as one stack."""
    module = modules[0]
    return (
        can_stack(module)
        and all(own.inputs is None for own in changes)
        and pays(module, len(modules), trainer.strategy.root_device)
        and trainer.precision == "32-true"
        and trainer.accumulate_grad_batches == 1
        and trainer.limit_train_batches == 1.0
    )


def _check(changes: Changes) -> None:
    if len(changes.reweighted):
        raise ConfigurationError("Retraining.changes reweights sequences: leave that out.")
    if changes.inputs is None:
        return
    origin = changes.origin
    if origin is None or not bool(torch.isin(origin, changes.removed).all()):
        raise ConfigurationError(
            "Retraining.changes adds sequences: expected each to take the place of one that is "
            "removed, which its origin names."
        )
    if len(origin.unique()) < len(origin):
        raise ConfigurationError("Retraining.changes puts several sequences in one place.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning from telling of every training."""
    log = logging.getLogger("pytorch_lightning")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*no `val_dataloader`")
            yield
    finally:
        log.setLevel(level)
