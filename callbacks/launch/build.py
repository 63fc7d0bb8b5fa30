"""Makes the objects of a run from its configuration."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from rnnrepair.callbacks.label_or_task import LabelOrTask
from rnnrepair.callbacks.launch.check import check_config, check_folders
from rnnrepair.callbacks.launch.checkpoints import check_weights, checkpoint_of_a_run
from rnnrepair.callbacks.launch.kept_corrections import keep_corrections
from rnnrepair.callbacks.launch.keys import keys_told
from rnnrepair.callbacks.launch.messages import naming_keys
from rnnrepair.callbacks.launch.plan import plan_epochs
from rnnrepair.callbacks.launch.resumed import RunSettings, check_same_settings
from rnnrepair.callbacks.launch.retraining import TrainAgain
from rnnrepair.callbacks.launch.shared_base import share_base
from rnnrepair.callbacks.launch.threads import use_threads
from rnnrepair.callbacks.repair_report import RepairReport
from rnnrepair.callbacks.study_runner import StudyRunner
from rnnrepair.process import collector_at_rest, tune_process

log = logging.getLogger(__name__)

# Warnings of libraries that tell a user of this program nothing, each with the reason.
HARMLESS_WARNINGS = (
    r".*LeafSpec.*",  # Lightning uses a deprecated name of torch, once per epoch
    r"Experiment logs directory .* exists and is not empty",  # keep_metrics has seen to it
    r"The dirpath has changed",  # a shared base training was written by another run
    r"The number of training batches .* is smaller than the logging interval",
)


@dataclass(frozen=True)
class Run:
    """The objects of a run that is about to be trained.

    Attributes:
        trainer: Lightning's.
        model: the network.
        datamodule: the data, set up.
        callbacks: all of them, in order.
        checkpoint: what training goes on from, None where it starts anew.
    """

    trainer: pl.Trainer
    model: pl.LightningModule
    datamodule: pl.LightningDataModule
    callbacks: list[pl.Callback]
    checkpoint: str | None

    def train(self) -> dict[str, Any]:
        """Train, and return the summary (see ``RepairReport``), empty where none is made."""
        with collector_at_rest():
            self.trainer.fit(
                self.model, self.datamodule, ckpt_path=self.checkpoint, weights_only=True
            )
        reports = [c for c in self.callbacks if isinstance(c, RepairReport)]
        return reports[0].summary if reports else {}


def build(cfg: DictConfig, extra: Sequence[pl.Callback] = ()) -> Run:
    """Make everything that a run needs, up to the point where training can begin.

    Args:
        cfg: composed configuration; its schedule is filled in.
        extra: callbacks beside those of the configuration.

    Raises:
        ConfigurationError: values out of range, names that select nothing, or a schedule that
            cannot be kept.
        IncompatibleCheckpointError: training cannot go on from ``ckpt_path``, or not so.
    """
    check_config(cfg)
    check_folders(cfg)
    settings, saved = RunSettings(cfg), None
    if cfg.ckpt_path:
        saved = checkpoint_of_a_run(cfg.ckpt_path)
        check_same_settings(cfg, saved)
    for message in HARMLESS_WARNINGS:
        warnings.filterwarnings("ignore", message)
    tune_process()
    use_threads(cfg.threads)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    with naming_keys(cfg, "datamodule"), keys_told(cfg, "datamodule"):
        datamodule = instantiate(cfg.datamodule, _convert_="all")
        datamodule.setup()
    keep_corrections(cfg)
    log.info("Data: %s, %s%s", datamodule.source, datamodule.sizes(), _planted(cfg))
    plan_epochs(cfg, datamodule.steps_per_epoch)
    with keys_told(cfg, "model"):
        make_model = instantiate(cfg.model, _partial_=True, _convert_="all")
        model = make_model(**datamodule.model_arguments())
    if saved is not None:
        check_weights(cfg.ckpt_path, saved, model)
    with keys_told(cfg, "callbacks"):
        callbacks = [*_callbacks(cfg, datamodule), settings, *extra]
    base = share_base(cfg, datamodule.fingerprint, model, callbacks)
    keep_metrics(Path(cfg.paths.output_dir))
    loggers = [instantiate(c, _convert_="all") for c in (cfg.get("logger") or {}).values()]
    trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=loggers, _convert_="all")
    for logger in trainer.loggers:
        logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))
    return Run(trainer, model, datamodule, callbacks, cfg.ckpt_path or base)


def _planted(cfg: DictConfig) -> str:
    """Return what is said of labels that are made wrong on purpose, nothing where none are."""
    planted = cfg.datamodule.get("planted")
    if not planted or not planted.share:
        return ""
    splits = ", ".join(planted.splits)
    return f"; {planted.share:.0%} of the labels of {splits} made wrong on purpose"


def _callbacks(cfg: DictConfig, datamodule: Any) -> list[pl.Callback]:
    callbacks = [
        instantiate(config, _convert_="all")
        for name, config in cfg.callbacks.items()
        if name != "progress_bar" or cfg.trainer.enable_progress_bar
    ]
    train = TrainAgain(cfg, datamodule)
    for callback in callbacks:
        if isinstance(callback, LabelOrTask):
            callback.train = train
    studies = [instantiate(config, _convert_="all") for config in cfg.study.values()]
    if studies:
        settings = instantiate(cfg.abstraction, _convert_="all")
        bars = cfg.trainer.enable_progress_bar
        output = cfg.paths.output_dir
        callbacks.append(StudyRunner(studies, settings, output, progress=bars, train=train))
    return callbacks


def keep_metrics(folder: Path) -> None:
    """Rename the metrics of an earlier run in this folder, which Lightning would delete."""
    old = folder / "metrics.csv"
    if old.is_file():
        earlier = len(list(folder.glob("metrics_until_*.csv")))
        old.rename(folder / f"metrics_until_{earlier + 1}.csv")
