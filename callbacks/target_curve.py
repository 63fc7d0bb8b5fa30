"""How many repair targets are right after each epoch: the measure of the published protocol."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import Callback
from typing_extensions import override

from rnnrepair.callbacks.analysis import output_folder
from rnnrepair.callbacks.trace_collector import repairable_data, view_of
from rnnrepair.network import TracedNetwork
from rnnrepair.protocols import Split
from rnnrepair.record import RunRecord, TargetLook, numbers_of, summary_of, write_summary
from rnnrepair.report import write_page

SPLITS: tuple[Split, ...] = ("repair", "test")


class TargetCurve(Callback):
    """Predicts targets and test set after each epoch from ``first_epoch`` on.

    Source: docs/method.md 7.1. The original trains from scratch for each number of
    epochs; one training that is looked at after each of them costs a seventh.
    """

    def __init__(
        self,
        experiment: str,
        strategy: str,
        seed: int,
        notes: tuple[str, ...] = (),
        first_epoch: int = 6,
        output_dir: str | None = None,
    ) -> None:
        """Choose what is counted.

        Args:
            experiment: name of the run, for the summary.
            strategy: what was added to the training set.
            seed: of the run.
            notes: warnings that must stand in every output.
            first_epoch: completed epochs at the first look.
            output_dir: of the run; the trainer's root where None.
        """
        self.experiment = experiment
        self.strategy = strategy
        self.seed = seed
        self.notes = tuple(notes)
        self.first_epoch = first_epoch
        self.output_dir = output_dir
        self.looks: list[TargetLook] = []
        self._folder = Path()
        self._network: TracedNetwork | None = None

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            self._folder = output_folder(trainer, self.output_dir)

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch + 1 < self.first_epoch:
            return
        data, network = repairable_data(trainer), self._view(trainer, pl_module)
        targets, test = (network.predict(data.loader(split)) for split in SPLITS)
        look = TargetLook(trainer.current_epoch + 1, int(targets.correct.sum()), test.accuracy)
        self.looks.append(look)
        curves = {"repair/targets_right": float(look.targets_right), "test/accuracy": test.accuracy}
        for logger in trainer.loggers:
            logger.log_metrics(curves, step=trainer.global_step)

    def _view(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> TracedNetwork:
        if self._network is None:
            self._network = view_of(trainer, pl_module, repairable_data(trainer))
        return self._network

    @override
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.looks:
            return
        data = repairable_data(trainer)
        record = RunRecord(
            experiment=self.experiment,
            seed=self.seed,
            strategy=self.strategy,
            arm=self.strategy,
            contrasts=(),
            notes=self.notes,
            network=self._view(trainer, pl_module).describe(),
            # Of what arms share: the training sets differ by the images that are compared.
            source=None,
            sizes={split: len(data.indices(split)) for split in SPLITS},
            looks=tuple(self.looks),
        )
        record.save(self._folder)
        write_summary(record, self._folder)
        write_page(self._folder, data)
        for logger in trainer.loggers:
            logger.log_metrics(numbers_of(summary_of(record)), step=trainer.global_step)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"looks": [asdict(look) for look in self.looks]}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.looks = [TargetLook(**look) for look in state_dict["looks"]]
