"""Records what training shows of each sample, from the steps that train anyway."""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback
from torch import Tensor
from torch.utils.hooks import RemovableHandle
from typing_extensions import override

from rnnrepair.callbacks.analysis import be_heard, log
from rnnrepair.callbacks.step_answers import find_answer, samples_of
from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data
from rnnrepair.influence import TrainingDynamics
from rnnrepair.network import AnswerInTraining, decoded

# Logits that are kept before they are counted together: a megabyte of them.
KEPT = 2**18


class TrainingDynamicsRecorder(Callback):
    """Keeps margin, loss, forgetting and first success of each original training sample.

    The logits are those that training steps compute; a hook reads them there, and ``training_step``
    stays as it is. Augmented samples count as edited, as they are trained on; injected ones are not
    counted. It must stand before ``TraceCollector``, and so before all that reads or saves it when
    an epoch ends.

    Where logits or samples of a batch cannot be seen it says so before the first epoch, with what
    to change, and records nothing.
    """

    def __init__(self) -> None:
        """Begin with nothing recorded."""
        super().__init__()
        self._dynamics: TrainingDynamics | None = None
        self._loaded = False
        # How answers are seen, or why not; neither before somebody has looked.
        self._answer: AnswerInTraining | None = None
        self._reason: str | None = None
        self._handle: RemovableHandle | None = None
        self._number = 0
        self._missed = False
        self._kept: list[tuple[Tensor, Tensor, Tensor]] = []
        self._n_kept = 0
        self._n_batches_kept = 0

    @property
    def dynamics(self) -> TrainingDynamics | None:
        """What was recorded, up to the last epoch that has ended; None where nothing is."""
        return None if self._reason is not None else self._dynamics

    def why_not(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> str | None:
        """Return why nothing can be recorded, and what to change; None where it can.

        Callbacks may ask in their ``setup``, where ``TraceCollector`` has been set up before.
        """
        if self._answer is None and self._reason is None:
            self._answer, self._reason = find_answer(trainer, pl_module)
            if self._answer is not None:
                log.info("Training dynamics are read from %s.", self._answer.told)
        return self._reason

    def begin_anew(self) -> None:
        """Forget all epochs: the network that they speak of has been given up."""
        if self._dynamics is not None:
            self._dynamics = TrainingDynamics(len(self._dynamics))

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        be_heard()
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        if any(isinstance(c, TraceCollector) for c in callbacks[: callbacks.index(self)]):
            raise MisconfigurationException(
                "TraceCollector stands before TrainingDynamicsRecorder, which must have closed an "
                "epoch before it is analysed: put the recorder first in the list of callbacks."
            )
        data = repairable_data(trainer)
        splits = ("fit", "repair", "val", "test", *data.more_tests)
        last = max(int(index.max()) for index in map(data.indices, splits) if len(index))
        self._dynamics = TrainingDynamics(last + 1)
        self._loaded = self._missed = False
        self._answer, self._reason = None, None
        self._forget_kept()  # of a training that was broken off

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        reason = self.why_not(trainer, pl_module)
        if reason is not None:
            log.warning("Training dynamics are not recorded: %s", reason)

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # An epoch that goes on in its middle begins with the first batch of its loader.
        self._number = 0
        if self._answer is not None and trainer.current_epoch > 0 and not self._loaded:
            log.warning(
                "Training dynamics begin after %d epochs: the checkpoint that training goes on "
                "from has recorded none.",
                trainer.current_epoch,
            )

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._number = 0

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._answer is None:
            return
        self._n_batches_kept = len(self._kept)
        samples = samples_of(trainer, batch, self._number)
        self._number += 1
        if samples is not None:
            index, label = samples
            answer = self._answer
            # A function: a method would be copied with all that is kept where a network is copied.
            self._handle = answer.attach(lambda output: self._keep(answer, output, index, label))

    @override
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if self._answer is None:
            return
        self._detach()
        if len(self._kept) == self._n_batches_kept and not self._missed:
            self._missed = True
            log.warning(
                "Training step %d of epoch %d shows no answers to its samples in %s: they are not "
                "counted in training dynamics, nor are those of further such steps. Does it leave "
                "samples out, or is it compiled?",
                batch_idx,
                trainer.current_epoch,
                self._answer.told,
            )
        if self._n_kept >= KEPT:
            self._count()

    @override
    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._detach()

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._answer is None or self._dynamics is None:
            return
        self._count()
        epoch = self._dynamics.end_epoch()
        if math.isnan(epoch.margin):  # it has shown no sample
            return
        metrics = {"train/margin": epoch.margin, "train/forgotten": epoch.forgotten}
        for logger in trainer.loggers:
            logger.log_metrics(metrics, step=trainer.global_step)

    @override
    def state_dict(self) -> dict[str, Any]:
        if self._answer is None or self._dynamics is None:
            return {}
        self._count()
        return self._dynamics.state_dict()

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if self._dynamics is not None:
            self._dynamics.load_state_dict(state_dict)
            self._loaded = True

    def _keep(self, answer: AnswerInTraining, output: Any, index: Tensor, label: Tensor) -> None:
        try:
            logits = decoded(answer, output, len(index))
        except RuntimeError:  # of other samples than the batch has: told at its end
            return
        self._kept.append((index, logits, label))
        self._n_kept += logits.numel()

    def _count(self) -> None:
        """Count what was kept; on the CPU, so that a device is waited for once in many steps."""
        if self._kept and self._dynamics is not None:
            index, logits, label = (
                torch.cat(parts).cpu() for parts in zip(*self._kept, strict=True)
            )
            self._dynamics.update(index, logits, label)
        self._forget_kept()

    def _forget_kept(self) -> None:
        self._kept.clear()
        self._n_kept = self._n_batches_kept = 0

    def _detach(self) -> None:
        if self._handle is not None:
            self._handle.remove()
            self._handle = None


def recorder_of(trainer: pl.Trainer) -> TrainingDynamicsRecorder | None:
    """Return the trainer's recorder, None where it has none."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return next((c for c in callbacks if isinstance(c, TrainingDynamicsRecorder)), None)


def dynamics_of(trainer: pl.Trainer) -> TrainingDynamics | None:
    """Return what the trainer's recorder has recorded, None where it has none or nothing is."""
    recorder = recorder_of(trainer)
    return None if recorder is None else recorder.dynamics
