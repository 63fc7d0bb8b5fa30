"""Collects hidden states: the only callback that reads the network."""

import time
from collections.abc import Iterable, Iterator, Sized
from typing import cast

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor
from tqdm import tqdm
from typing_extensions import override

from rnnrepair.callbacks.analysis import AnalysisCallback, log
from rnnrepair.callbacks.calendar import Calendar
from rnnrepair.network import HiddenBatch, TracedNetwork, verified
from rnnrepair.network.calls import Call
from rnnrepair.protocols import RepairableData, Split
from rnnrepair.sequences import SequenceBatch

SAMPLE_BATCH = 500


def repairable_data(trainer: pl.Trainer) -> RepairableData:
    """Return the trainer's data module.

    Raises:
        MisconfigurationException: it does not follow the protocol ``RepairableData``.
    """
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, RepairableData):
        wanted = [n for n in dir(RepairableData) if not n.startswith("_")] + ["spec"]
        missing = sorted({name for name in wanted if not hasattr(data, name)})
        raise MisconfigurationException(
            f"The analysis needs a data module that follows rnnrepair.protocols.RepairableData; "
            f"{type(data).__name__} lacks {missing}. Derive it from "
            "rnnrepair.datamodules.SequenceDataModule, or add them."
        )
    return data


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
    """Streams hidden states and step predictions of any split, the network in evaluation mode.

    Nothing is kept: who needs the states consumes the stream (``StateAbstraction``), and the
    network runs while it does. Modes and random state are left as they were, so that training
    goes on as if nobody had looked.
    """

    def __init__(
        self,
        calendar: Calendar | None = None,
        tap: str | None = None,
        call: Call | None = None,
        progress: bool = True,
    ) -> None:
        """Set up the collector.

        Args:
            calendar: when the network is analysed; after every epoch where None.
            tap: name of the layer whose outputs are the states; found where None.
            call: calls the network with a batch; found where None (see ``TracedNetwork``).
            progress: show a progress bar.
        """
        super().__init__()
        self.calendar = calendar or Calendar()
        self.tap = tap
        self.call = call
        self.progress = progress
        self._data: RepairableData | None = None
        self._network: TracedNetwork | None = None

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage != "fit":
            return
        self._data = repairable_data(trainer)
        self._network = view_of(trainer, pl_module, self._data, self.tap, self.call)
        log.info("Reads %s", self._network.describe())

    def should_analyse(self, epoch: int) -> bool:
        """Return whether the network is analysed after ``epoch`` completed epochs; override it."""
        return self.calendar.includes(epoch)

    def first_analysis(self, max_epochs: int | None) -> int:
        """Return the completed epochs at the first analysis; ``max_epochs`` where there is none."""
        last = max_epochs if max_epochs is not None and max_epochs >= 0 else self.calendar.start
        return next((epoch for epoch in range(last) if self.should_analyse(epoch)), last)

    @override
    def is_due(self, trainer: pl.Trainer, epoch: int) -> bool:
        return self.should_analyse(epoch)

    @override
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        """Nothing to do ahead: streams are made when they are read."""

    @property
    def network(self) -> TracedNetwork:
        """The one view of the network."""
        if self._network is None:
            raise MisconfigurationException("TraceCollector has not been set up by a Trainer.")
        return self._network

    def stream(self, split: Split, sample: Tensor | None = None) -> Iterator[HiddenBatch]:
        """Yield the hidden states of a split, or of the sequences with the indices ``sample``."""
        data = cast(RepairableData, self._data)
        batches: Iterable[SequenceBatch]
        if sample is None:
            batches = data.trace_dataloader(split)
            total = len(batches) if isinstance(batches, Sized) else None
        else:
            parts = sample.split(SAMPLE_BATCH)
            batches, total = self._fetched(data, parts), len(parts)
        with tqdm(
            total=total, desc=f"Collecting {split}", leave=False, disable=not self.progress
        ) as bar:
            states = self.network.steps(batches)
            while True:
                start = time.perf_counter()
                batch = next(states, None)
                self.seconds += time.perf_counter() - start
                if batch is None:
                    return
                bar.update()
                yield batch

    @staticmethod
    def _fetched(data: RepairableData, parts: tuple[Tensor, ...]) -> Iterator[SequenceBatch]:
        for part in parts:
            yield data.fetch(part)
