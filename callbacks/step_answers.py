"""What a training step answers to which samples, heard without changing the step."""

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data, view_of
from rnnrepair.errors import ConfigurationError, NonFiniteError
from rnnrepair.network import AnswerInTraining, TracedNetwork
from rnnrepair.protocols import RepairableData, TellsBatches, labels_of_samples
from rnnrepair.sequences import SequenceBatch

# Sequences, spread over the fit split, among which the place of the answers is looked for.
LOOKED_AT = 200


def find_answer(
    trainer: pl.Trainer, pl_module: pl.LightningModule
) -> tuple[AnswerInTraining | None, str | None]:
    """Find where a training step makes its answers to samples that are known.

    Returns:
        The place and None, or None and why there is none, with what to change.
    """
    if trainer.world_size > 1:
        return None, (
            f"the trainer uses {trainer.world_size} devices, and each sees a part of the "
            "samples: Trainer(devices=1)."
        )
    data = repairable_data(trainer)
    index = data.indices("fit")
    sample = data.fetch(index[:: max(len(index) // LOOKED_AT, 1)])
    if not _tells_samples(data, sample):
        return None, (
            f"the training batches of {type(data).__name__} do not tell which samples they "
            "hold: let them be rnnrepair.sequences.SequenceBatch, or wrap data sets in "
            "rnnrepair.datamodules.DatasetDataModule (loading={'in_order': False} hides it)."
        )
    try:
        network = _network_of(trainer, pl_module, data)
    except (ConfigurationError, NonFiniteError) as error:
        return None, f"the network cannot be read. {error}"
    answer = network.answer_in_training(sample)
    if answer is None:
        return None, (
            f"no part of {type(pl_module).__name__} returns its answers in training_step: call "
            "self(...) there and not self.forward(...), or let the last layer be a module."
        )
    return answer, None


def samples_of(trainer: pl.Trainer, batch: Any, number: int) -> tuple[Tensor, Tensor] | None:
    """Return the (b,) indices and labels of a training batch, None where nobody tells them.

    Args:
        trainer: that trains.
        batch: as the training step is given it.
        number: of the batch among those that its loader has given, from 0.
    """
    if isinstance(batch, SequenceBatch):
        return batch.index, batch.label
    sampler = getattr(trainer.train_dataloader, "sampler", None)
    if not isinstance(sampler, TellsBatches) or number >= len(sampler.drawn):
        return None
    index = sampler.drawn[number]
    return index, labels_of_samples(repairable_data(trainer), index)


def _network_of(
    trainer: pl.Trainer, pl_module: pl.LightningModule, data: RepairableData
) -> TracedNetwork:
    """Return the view that an analysis has, or one of our own where nothing is analysed."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    collectors = [c for c in callbacks if isinstance(c, TraceCollector)]
    return collectors[0].network if collectors else view_of(trainer, pl_module, data)


def _tells_samples(data: RepairableData, sample: SequenceBatch) -> bool:
    """Whether it can be known which samples a training batch holds."""
    given, _ = data.training_form(sample.rows(slice(2)))
    if isinstance(given, SequenceBatch):
        return True
    loader = data.train_dataloader() if isinstance(data, pl.LightningDataModule) else None
    sampler = getattr(loader, "sampler", None)
    return isinstance(sampler, TellsBatches) and getattr(loader, "in_order", True)
