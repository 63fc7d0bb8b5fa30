"""Holds a network that is repaired near the unrepaired one, where it is trained on old samples."""

import copy
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback
from torch import Tensor
from torch.utils.hooks import RemovableHandle
from typing_extensions import override

from rnnrepair.callbacks.analysis import log, upstream
from rnnrepair.callbacks.base_checkpoint import BaseCheckpoint
from rnnrepair.callbacks.from_scratch import FromScratch
from rnnrepair.callbacks.repair_injection import RepairInjection
from rnnrepair.callbacks.step_answers import find_answer, samples_of
from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data, view_of
from rnnrepair.network import AnswerInTraining
from rnnrepair.repair import KeptAnswers, anchor_term
from rnnrepair.sequences import SequenceBatch
from rnnrepair.settings import Size, check_settings


class Anchor(Callback):
    """Adds ``weight`` times ``anchor_term`` to the loss of every step after the base training.

    The answers are those that the training step makes; a hook hears them there, and
    ``training_step`` stays as it is. The term is added to the loss that Lightning is about to
    backpropagate, so there is one backward pass, and clipping, accumulation and loss scaling treat
    it as the loss. It does not appear in what the training step logs; ``train/anchor`` is its mean
    over an epoch, without the weight.
    """

    def __init__(self, weight: Size = 0.0) -> None:
        """Choose how strongly.

        Args:
            weight: of one nat of a sample's divergence, in units of its loss; 0 does nothing.

        Raises:
            SettingsError: below 0.
        """
        check_settings(Anchor, locals())
        super().__init__()
        self.weight = weight
        self._answer: AnswerInTraining | None = None
        self._kept: KeptAnswers | None = None
        self._handle: RemovableHandle | None = None
        self._number = 0
        # Of the batch that is trained on: whether it has anchored samples, and the term.
        self._expected = False
        self._term: Tensor | None = None
        # Of the epoch.
        self._terms: list[Tensor] = []

    def made_with(self) -> dict[str, Any]:
        """Return what may not change once a network is analysed."""
        return {"anchor": self.weight}

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit" or not self.weight:
            return
        self._answer = self._kept = None
        self._forget_batch()
        upstream(trainer, BaseCheckpoint, self)
        if not pl_module.automatic_optimization:
            raise MisconfigurationException(
                "The anchor is added to the loss that Lightning backpropagates, and "
                f"{type(pl_module).__name__} does that itself (automatic_optimization=False): add "
                "rnnrepair.repair.anchor_term there, or set anchor=0."
            )
        if _trains_anew(trainer):
            raise MisconfigurationException(
                "The anchor holds a network near the unrepaired one, and this run trains a new "
                "one from scratch: choose another strategy, or set anchor=0."
            )
        if any(injection.strategy.relabels for injection in _injections(trainer)):
            raise MisconfigurationException(
                "The anchor holds a network near what it has learnt, and this run relabels samples "
                "that it has learnt wrongly: reweight or remove them (action), or set anchor=0."
            )

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.weight:
            return
        self._answer, reason = find_answer(trainer, pl_module)
        data = repairable_data(trainer)
        if reason is None and data.augments:
            given, _ = data.training_form(data.fetch(data.indices("fit")[:2]))
            if not isinstance(given, SequenceBatch):
                reason = (
                    f"{type(data).__name__} edits what it is trained on, and gives it in a form "
                    "of its own, which the unrepaired network cannot be asked about: train "
                    "without augmentation."
                )
        if reason is not None:
            raise MisconfigurationException(
                "The anchor needs what a training step answers to which sample, and that cannot "
                f"be heard: {reason} Or set anchor=0."
            )

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # An epoch that goes on in its middle begins here.
        if self.weight:
            upstream(trainer, BaseCheckpoint, self).check_kept(trainer, "anchor")
        self.on_train_epoch_start(trainer, pl_module)

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._number = 0
        if not self.weight or self._kept is not None:
            return
        base = upstream(trainer, BaseCheckpoint, self)
        if trainer.current_epoch >= base.base_epochs:
            # Not once a batch has begun: hooks that hear its answers would be copied too.
            self._kept = _kept_answers(trainer, pl_module, base.weights())

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._kept is None or self._answer is None:
            return
        samples = samples_of(trainer, batch, self._number)
        self._number += 1
        if samples is None:
            raise self._unheard(batch_idx)
        index, _ = samples
        rows, kept = self._kept.to_samples(
            index, batch if isinstance(batch, SequenceBatch) else None
        )
        self._expected = len(rows) > 0
        if self._expected:
            answer, n_rows = self._answer, len(index)
            # A function: a method would be copied with all that is kept where a network is copied.
            self._handle = answer.attach(
                lambda output: self._hear(answer, output, n_rows, rows, kept)
            )

    def _hear(
        self, answer: AnswerInTraining, output: Any, n_rows: int, rows: Tensor, kept: Tensor
    ) -> None:
        try:
            logits = answer.decoder(output, n_rows)
        except RuntimeError:  # of other samples than the batch has: told before the backward pass
            return
        now = logits[rows.to(logits.device)]
        self._term = anchor_term(now, kept.to(logits.device), n_rows)

    @override
    def on_before_backward(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor
    ) -> None:
        if not self._expected:
            return
        term, self._term = self._term, None
        if term is None or not term.requires_grad:
            raise self._unheard(trainer.fit_loop.batch_idx)
        self._terms.append(term.detach())
        term = self.weight * term / trainer.accumulate_grad_batches  # as Lightning divides the loss
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        if scaler is not None:
            term = scaler.scale(term)
        # In place: Lightning backpropagates the very tensor that it shows here.
        loss.add_(term.to(loss))

    @override
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._forget_batch()

    @override
    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._forget_batch()

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._terms:
            mean = float(torch.stack(self._terms).mean())
            self._terms.clear()
            for logger in trainer.loggers:
                logger.log_metrics({"train/anchor": mean}, step=trainer.global_step)

    def _forget_batch(self) -> None:
        if self._handle is not None:
            self._handle.remove()
        self._handle = self._term = None
        self._expected = False

    def _unheard(self, batch_idx: int) -> MisconfigurationException:
        where = "" if self._answer is None else f" in {self._answer.told}"
        return MisconfigurationException(
            f"Training step {batch_idx} has shown no answers to its samples{where} with a gradient "
            "before its loss is backpropagated, so they cannot be anchored: a step must answer "
            "all samples of its batch once (no LBFGS, no torch.compile, not under no_grad). Or "
            "set anchor=0."
        )


def _injections(trainer: pl.Trainer) -> list[RepairInjection]:
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return [c for c in callbacks if isinstance(c, RepairInjection)]


def _trains_anew(trainer: pl.Trainer) -> bool:
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return any(c.strategy.starts_anew for c in _injections(trainer)) or any(
        isinstance(c, FromScratch) and c.every_round for c in callbacks
    )


def _kept_answers(
    trainer: pl.Trainer, pl_module: pl.LightningModule, weights: dict[str, Any]
) -> KeptAnswers:
    """Return what the unrepaired network says; it is a copy, which nobody trains."""
    module = copy.deepcopy(pl_module)
    module.load_state_dict(weights)
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    collectors = [c for c in callbacks if isinstance(c, TraceCollector)]
    told = (collectors[0].tap, collectors[0].call) if collectors else (None, None)
    data = repairable_data(trainer)
    how = "of each batch, for training edits them" if data.augments else "once"
    log.info("The unrepaired network is asked about the samples of fit %s.", how)
    return KeptAnswers(view_of(trainer, module, data, *told), data)
