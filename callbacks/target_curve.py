"""How many repair targets are right after each epoch: the measure of the published protocol."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import Callback
from typing_extensions import override

from rnnrepair.callbacks.analysis import output_folder
from rnnrepair.callbacks.trace_collector import repairable_data, view_of
from rnnrepair.network import TracedNetwork
from rnnrepair.protocols import Split
from rnnrepair.report import write_summary

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
        """Set up the curve.

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
        self.targets_right: list[int] = []
        self.test_accuracy: list[float] = []
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
        data = repairable_data(trainer)
        if self._network is None:
            self._network = view_of(trainer, pl_module, data)
        targets, test = (self._network.predict(data.trace_dataloader(split)) for split in SPLITS)
        self.targets_right.append(int(targets.correct.sum()))
        self.test_accuracy.append(test.accuracy)
        for logger in trainer.loggers:
            logger.log_metrics(
                {"repair/targets_right": self.targets_right[-1], "test/accuracy": test.accuracy},
                step=trainer.global_step,
            )

    @override
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.targets_right:
            return
        data = repairable_data(trainer)
        # Sizes of what arms share: the training sets differ by the images that are compared.
        sizes = {split: len(data.split_index(split)) for split in ("repair", "test")}
        write_summary(self._summary(sizes), self._folder / "summary.json")

    def _summary(self, sizes: dict[str, int]) -> dict[str, Any]:
        looks = len(self.targets_right)
        return {
            "experiment": self.experiment,
            "seed": self.seed,
            "strategy": self.strategy,
            "arm": self.strategy,
            "contrasts": [],
            "measure": "targets",
            "data": sizes,
            "notes": list(self.notes),
            "n_targets": sizes["repair"],
            "targets_right": self.targets_right,
            "test_accuracy": self.test_accuracy,
            "after": {
                "targets_right": sum(self.targets_right) / looks,
                "test_accuracy": sum(self.test_accuracy) / looks,
            },
        }

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"targets_right": self.targets_right[:], "test_accuracy": self.test_accuracy[:]}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.targets_right = list(state_dict["targets_right"])
        self.test_accuracy = list(state_dict["test_accuracy"])
