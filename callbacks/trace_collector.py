"""Collects hidden states: the only callback that reads the network."""

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import cast

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor
from tqdm import tqdm
from typing_extensions import override

from rnnrepair.callbacks.analysis import AnalysisCallback
from rnnrepair.models import as_recurrent
from rnnrepair.protocols import RecurrentModule, RepairableData, Split
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import HiddenBatch, Traces, device_of, evaluating, hidden_states

SAMPLE_BATCH = 500
Judge = Callable[[Tensor, Tensor], Traces]


def repairable_data(trainer: pl.Trainer) -> RepairableData:
    """Return the trainer's data module.

    Raises:
        MisconfigurationException: it does not follow the protocol ``RepairableData``.
    """
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, RepairableData):
        wanted = [n for n in dir(RepairableData) if not n.startswith("_")] + ["num_classes"]
        missing = sorted({name for name in wanted if not hasattr(data, name)})
        raise MisconfigurationException(
            f"The analysis needs a data module that follows rnnrepair.protocols.RepairableData; "
            f"{type(data).__name__} lacks {missing}. Derive it from "
            "rnnrepair.datamodules.SequenceDataModule, or add them."
        )
    return data


class TraceCollector(AnalysisCallback):
    """Streams hidden states and step predictions of any split, the network in evaluation mode.

    Nothing is kept: who needs the states consumes the stream (``StateAbstraction``), and the
    network runs while it does. Modes and random state are left as they were, so that training
    goes on as if nobody had looked.
    """

    def __init__(
        self,
        start_epoch: int = 1,
        every_n_epochs: int = 1,
        end_epoch: int | None = None,
        rnn: str | None = None,
        head: str | None = None,
        progress: bool = True,
    ) -> None:
        """Set up the collector.

        Args:
            start_epoch: completed epochs at the first analysis.
            every_n_epochs: epochs between analyses.
            end_epoch: completed epochs after which nothing is analysed.
            rnn: name of the recurrent layer, for a foreign module with several.
            head: name of the linear head, for a foreign module where several fit.
            progress: show a progress bar.
        """
        super().__init__(start_epoch, every_n_epochs, end_epoch)
        self.rnn = rnn
        self.head = head
        self.progress = progress
        self._data: RepairableData | None = None
        self._module: pl.LightningModule | None = None
        self._recurrent: RecurrentModule | None = None

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage != "fit":
            return
        self._data = repairable_data(trainer)
        self._module = pl_module
        self._recurrent = as_recurrent(pl_module, self.rnn, self.head)

    @override
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        """Nothing to do ahead: streams are made when they are read."""

    @property
    def recurrent(self) -> RecurrentModule:
        """The network, as something that shows its hidden states."""
        if self._recurrent is None:
            raise MisconfigurationException("TraceCollector has not been set up by a Trainer.")
        return self._recurrent

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return device_of(cast(pl.LightningModule, self._module))

    def stream(self, split: Split, sample: Tensor | None = None) -> Iterator[HiddenBatch]:
        """Yield the hidden states of a split, or of the sequences with the indices ``sample``."""
        data, module = cast(RepairableData, self._data), cast(pl.LightningModule, self._module)
        batches: Iterable[SequenceBatch]
        if sample is None:
            batches = data.trace_dataloader(split)
            total = len(batches) if isinstance(batches, Sized) else None
        else:
            parts = sample.split(SAMPLE_BATCH)
            batches, total = self._fetched(data, parts), len(parts)
        with (
            evaluating(module),
            tqdm(
                total=total, desc=f"Collecting {split}", leave=False, disable=not self.progress
            ) as bar,
        ):
            states = hidden_states(self.recurrent.trace, batches, self.device)
            while True:
                start = time.perf_counter()
                batch = next(states, None)
                self.seconds += time.perf_counter() - start
                if batch is None:
                    return
                bar.update()
                yield batch

    def judging(self, judge: Judge) -> Judge:
        """Return ``judge`` as it runs without leaving a trace in the training."""

        def judged(inputs: Tensor, lengths: Tensor) -> Traces:
            with evaluating(cast(pl.LightningModule, self._module)):
                return judge(inputs, lengths)

        return judged

    @staticmethod
    def _fetched(data: RepairableData, parts: tuple[Tensor, ...]) -> Iterator[SequenceBatch]:
        for part in parts:
            yield data.fetch(part)
