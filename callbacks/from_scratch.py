"""Starts the training anew: the published way to repair, and the control that repairs nothing."""

import copy
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import _init_optimizers_and_lr_schedulers
from typing_extensions import override

from rnnrepair.callbacks.analysis import AnalysisCallback, log, upstream
from rnnrepair.callbacks.repair_injection import RepairInjection
from rnnrepair.callbacks.training_dynamics import recorder_of


class FromScratch(AnalysisCallback):
    """Puts the initial weights back after a round, so that the epochs behind it are a retraining.

    Where the strategy starts anew (``augment``, ``all``), and in every round of a protocol that
    repairs by retraining.

    Source: RNNRepair section 4.4, where every repair is a training from scratch on the edited
    data.
    """

    reads = (RepairInjection,)
    begins_anew = True

    def __init__(
        self,
        every_round: bool = False,
    ) -> None:
        """Choose when training starts anew.

        Args:
            every_round: after every round, whatever the strategy.
        """
        super().__init__()
        self.every_round = every_round
        self._initial: dict[str, Any] = {}
        self._starts_anew = False

    def made_with(self) -> dict[str, Any]:
        """Return what may not change once a network is analysed."""
        return {"every_round": self.every_round}

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            # A checkpoint is loaded after this hook: these are the weights of a new network.
            self._initial = copy.deepcopy(pl_module.state_dict())

    @override
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        anew = upstream(trainer, RepairInjection, self).anew_epoch == epoch
        if not (self.every_round or anew):
            return
        self._starts_anew = True
        log.info("Training starts from scratch.")

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Not in `analyse`: a checkpoint of the best network, written after it, would hold the
        # initial weights; and before the first epoch the optimizers are restored after it.
        if self._starts_anew:
            pl_module.load_state_dict(self._initial)
            for optimizer in trainer.optimizers:
                optimizer.state.clear()
            _restart_rates(trainer, pl_module)
            _forget_scores(trainer)
            recorder = recorder_of(trainer)
            if recorder is not None:
                recorder.begin_anew()
            self._starts_anew = False

    @override
    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"starts_anew": self._starts_anew}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._starts_anew = state_dict["starts_anew"]


def _forget_scores(trainer: pl.Trainer) -> None:
    """Let no score of the network before stop the new one early."""
    for stopping in trainer.early_stopping_callbacks:
        worst = torch.inf if stopping.monitor_op is torch.lt else -torch.inf
        stopping.wait_count, stopping.best_score = 0, torch.tensor(worst)


def _restart_rates(trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
    """Put learning rates and schedulers back to where training begins.

    Those that a new network would be given are asked for: what they were when training began is
    lost where a run goes on from a checkpoint.
    """
    made = trainer.lr_scheduler_configs
    if any(getattr(config.scheduler, "counts_all_epochs", False) for config in made):
        return
    optimizers, configs = _init_optimizers_and_lr_schedulers(pl_module)
    for optimizer, fresh in zip(trainer.optimizers, optimizers, strict=True):
        for group, begun in zip(optimizer.param_groups, fresh.param_groups, strict=True):
            group |= {name: value for name, value in begun.items() if name != "params"}
    for config, new in zip(made, configs, strict=True):
        config.scheduler.load_state_dict(new.scheduler.state_dict())
