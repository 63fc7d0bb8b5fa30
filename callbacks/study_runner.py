"""Runs studies on the network that training ends with."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger, WandbLogger
from typing_extensions import override

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.callbacks.analysis import log, on_device, output_folder
from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data, view_of
from rnnrepair.callbacks.training_dynamics import dynamics_of, recorder_of
from rnnrepair.callbacks.trajectory_recorder import steps_recorder_of, trajectory_of
from rnnrepair.callbacks.wandb.tables import log_study
from rnnrepair.influence import Need
from rnnrepair.progress import bars_if
from rnnrepair.report import write_page
from rnnrepair.report.studies import write_study
from rnnrepair.studies import FinishedRun, Study, Train, plain


class StudyRunner(Callback):
    """Asks every study its question once training has ended; refuses misfits before it starts."""

    def __init__(
        self,
        studies: Sequence[Study],
        settings: AbstractionSettings | None = None,
        output_dir: str | None = None,
        progress: bool = True,
        train: Train | None = None,
    ) -> None:
        """Take the studies.

        Args:
            studies: to run, in this order.
            settings: how hidden states are grouped, where a study does not say otherwise.
            output_dir: of the run; the trainer's root where None.
            progress: show progress bars.
            train: trains the network again, for studies that want it.
        """
        self.studies = list(studies)
        self.settings = settings or AbstractionSettings()
        self.output_dir = output_dir
        self.progress = progress
        self.train = train
        self._as_loaded: dict[str, Any] = {}

    def _run_of(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> FinishedRun:
        data = repairable_data(trainer)
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        collectors = [c for c in callbacks if isinstance(c, TraceCollector)]
        # A foreign network is told how to read it there, once.
        told = (collectors[0].tap, collectors[0].call) if collectors else (None, None)
        network = view_of(trainer, pl_module, data, *told)
        return FinishedRun(
            network,
            data,
            self.settings,
            progress=bars_if(self.progress),
            told=f"as training ended, after {trainer.current_epoch} epochs",
            train=self.train,
        )

    def _before_training(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> FinishedRun:
        """Return the run with what is going to be recorded, for the checks."""
        dynamics, recorded = recorder_of(trainer), set[Need]()
        if dynamics is not None and dynamics.why_not(trainer, pl_module) is None:
            recorded.add(Need.DYNAMICS)
        if steps_recorder_of(trainer) is not None:
            recorded.add(Need.TRAJECTORY)
        return replace(self._run_of(trainer, pl_module), recorded=frozenset(recorded))

    def _after_training(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> FinishedRun:
        run = self._run_of(trainer, pl_module)
        dynamics, trajectory = dynamics_of(trainer), trajectory_of(trainer)
        return replace(run, dynamics=dynamics, trajectory=trajectory)

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            output_folder(trainer, self.output_dir)
            # Before a checkpoint puts back what a repair has done.
            self._as_loaded = copy.deepcopy(repairable_data(trainer).state_dict())
            run = self._before_training(trainer, pl_module)
            for study in self.studies:
                study.check(run)

    @override
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        folder, data = output_folder(trainer, self.output_dir), repairable_data(trainer)
        repaired = data.state_dict()
        try:
            # Studies are about the data as they came, as in scripts/study.py.
            data.load_state_dict(self._as_loaded)
            with on_device(trainer, pl_module):
                run = self._after_training(trainer, pl_module)
                run_studies(run, self.studies, folder, trainer.loggers)
        finally:
            data.load_state_dict(repaired)
            # What was found before a study failed is shown, and injected samples are.
            write_page(folder, data)


def run_studies(
    run: FinishedRun,
    studies: Sequence[Study],
    folder: Path,
    loggers: Sequence[Logger] = (),
    weights: str | None = None,
) -> list[str]:
    """Run studies on one finished run, write and log each as soon as it is done.

    Results of other networks and of other settings are left alone: see ``study_folder``.
    ``write_page`` shows them; it is the caller's, who knows the injected samples.

    Args:
        run: see ``FinishedRun``.
        studies: in their order.
        folder: of the run.
        loggers: of which W&B gets the tables.
        weights: tells networks apart that no checkpoint is known of; None where one is.

    Returns:
        What they conclude, one sentence each.
    """
    for study in studies:
        study.check(run)
    said = []
    for study in studies:
        log.info("%s: of the network %s", study.name, run.told)
        settings = {
            "checkpoint": run.checkpoint,
            **plain(study),
            **plain(run.settings, "abstraction."),
            **({} if weights is None else {"weights": weights}),
        }
        written = write_study(folder, study.name, study(run), settings, run.told)
        for sentence in written.conclusion:
            said.append(f"{study.name}: {sentence}")
            log.info("%s", said[-1])
        log.info("%s: tables and figures are in %s", study.name, written.folder)
        if written.name != study.name:
            log.info(
                "%s: kept beside %s, which is of another network or of other settings",
                study.name,
                written.folder.with_name(study.name),
            )
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                log_study(logger, written)
    return said
