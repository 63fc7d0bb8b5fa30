"""Records every step of a training by plain stochastic gradient descent."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback
from torch import Tensor
from torch.optim import SGD
from typing_extensions import override

from rnnrepair.callbacks.analysis import log, output_folder
from rnnrepair.callbacks.trace_collector import repairable_data
from rnnrepair.influence import Curvature, Parts, Step, Trajectory
from rnnrepair.sequences import SequenceBatch
from rnnrepair.settings import Count, check_settings

# In the folder of a run.
FILE = "trajectory.safetensors"
# Largest difference between the first step and the one by the formula, relative to the latter.
TOLERANCE = 0.01


class TrajectoryRecorder(Callback):
    """Keeps the weights before every step, its sequences and its learning rate, for SGDInfluence.

    A step must be weights - rate * gradient of the batch's mean cross entropy, and nothing else.
    What shows in the settings is refused before training, and the first step is compared with that
    formula, which shows dropout, weighted losses and the like. Where weights are changed between
    two steps (a training from scratch), the trajectory begins anew.
    """

    def __init__(self, output_dir: str | None = None, max_bytes: Count = 2**31) -> None:
        """Choose where it is kept.

        Args:
            output_dir: gets ``trajectory.safetensors`` when training ends; nothing is written
                where None.
            max_bytes: of the weights of all steps, which stay in memory.

        Raises:
            SettingsError: ``max_bytes`` below 1.
        """
        check_settings(TrajectoryRecorder, locals())
        super().__init__()
        self.output_dir = output_dir
        self.max_bytes = max_bytes
        self._steps: list[Step] = []
        self._after: Tensor | None = None
        self._parts: Parts | None = None
        self._curvature: Curvature | None = None

    @property
    def trajectory(self) -> Trajectory:
        """All steps made so far.

        Raises:
            MisconfigurationException: no training has begun.
        """
        return Trajectory(tuple(self._steps), self._weights())

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        self._parts = Parts.of(pl_module)
        self._curvature = Curvature(self._parts)
        self._steps, self._after = [], None
        told = _no_plain_steps(trainer)
        if told:
            raise _refused(told)

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        told = _no_plain_optimizer(trainer)
        if trainer.global_step > 0:
            told.append(f"the training goes on after {trainer.global_step} steps: start it anew")
        if told:
            raise _refused(told)
        weights = self._weights()
        n_steps = trainer.estimated_stepping_batches
        needed = n_steps * weights.nbytes
        if needed > self.max_bytes:
            raise MisconfigurationException(
                f"A trajectory of {n_steps:,.0f} steps of {len(weights):,} weights takes "
                f"{needed / 2**30:.1f} GiB, more than max_bytes={self.max_bytes}: raise that, "
                "train fewer steps, or freeze what need not be trained (embeddings)."
            )

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        weights = self._weights()
        if self._after is not None and not torch.equal(weights, self._after):
            log.info("The weights were set anew: the trajectory begins here.")
            self._steps = []
        rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        self._steps.append(Step(weights, batch.index.cpu().clone(), rate))

    @override
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._after = self._weights()
        if len(self._steps) == 1:
            self._check_step(batch, self._after, pl_module.device)

    @override
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.output_dir is not None:
            path = Path(output_folder(trainer, self.output_dir)) / FILE
            self.trajectory.save(path)
            log.info("The %d steps of the training are in %s", len(self._steps), path)

    def _weights(self) -> Tensor:
        """Return a copy of the (P,) trained weights as they are now."""
        if self._parts is None or self._curvature is None:
            raise MisconfigurationException("TrajectoryRecorder has not been set up by a Trainer.")
        trained = {name: weight.detach() for name, weight in self._parts.trained().items()}
        return self._curvature.layout.flat(trained).cpu().clone()

    def _check_step(self, batch: SequenceBatch, now: Tensor, device: torch.device) -> None:
        """Compare the first step with the formula."""
        first = self._steps[0]
        if self._curvature is None:
            return
        gradient = self._curvature.gradient(first.weights.to(device), batch).cpu() / len(batch)
        expected = -first.rate * gradient
        difference = (now - first.weights - expected).norm()
        if difference > TOLERANCE * expected.norm():
            raise MisconfigurationException(
                "The first step of the training differs from a step of plain SGD on the mean cross "
                f"entropy of its batch by {float(difference / expected.norm()):.0%}, so "
                "SGDInfluence would be wrong: train without dropout, weights of classes, "
                "augmentation in training_step and changes of gradients."
            )


def _no_plain_steps(trainer: pl.Trainer) -> list[str]:
    """Return what of trainer and data makes steps others than plain ones, and what to change."""
    told = []
    data = repairable_data(trainer)
    batch = data.fetch(data.indices("fit")[:1])
    if not isinstance(data.training_form(batch)[0], SequenceBatch):
        told.append(
            f"training batches of {type(data).__name__} do not say which sequences they hold: give "
            "the data as a SequenceDataModule or an ArrayDataModule"
        )
    if data.augments:
        told.append("training batches are edited: set share=0 of the augmentation")
    if trainer.gradient_clip_val:
        told.append(f"gradients are clipped at {trainer.gradient_clip_val}: leave it out")
    if trainer.accumulate_grad_batches != 1:
        told.append(f"accumulate_grad_batches is {trainer.accumulate_grad_batches}: leave it at 1")
    return told


def _no_plain_optimizer(trainer: pl.Trainer) -> list[str]:
    """Return what of the optimizers is not plain SGD, and what to change."""
    kinds = [type(optimizer).__name__ for optimizer in trainer.optimizers]
    if [type(o) for o in trainer.optimizers] != [SGD]:
        return [f"the optimizer is {', '.join(kinds)}: take one torch.optim.SGD"]
    groups = trainer.optimizers[0].param_groups
    told = [
        f"{name} is {group[name]}: leave it at 0"
        for name in ("momentum", "weight_decay")
        for group in groups
        if group[name]
    ]
    if any(group["maximize"] for group in groups):
        told.append("maximize is True: leave it at False")
    if len({float(group["lr"]) for group in groups}) > 1:
        told.append("groups of parameters have rates of their own: give all of them one")
    return told


def _refused(told: list[str]) -> MisconfigurationException:
    return MisconfigurationException(
        "SGDInfluence knows steps of plain SGD, from the first one on; " + "; ".join(told) + "."
    )


def steps_recorder_of(trainer: pl.Trainer) -> TrajectoryRecorder | None:
    """Return the trainer's recorder of steps, None where it has none."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return next((c for c in callbacks if isinstance(c, TrajectoryRecorder)), None)


def trajectory_of(trainer: pl.Trainer) -> Trajectory | None:
    """Return the steps made so far, None where nobody records them."""
    recorder = steps_recorder_of(trainer)
    return None if recorder is None else recorder.trajectory
