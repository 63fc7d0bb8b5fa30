"""Train, analyse and repair: ``python train.py [-m] +experiment=NAME [overrides]``."""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from callbacks import RepairReport, StudyRunner
from callbacks.shared_base import share_base
from callbacks.study_runner import misplaced_studies
from callbacks.sweep_job import sweep_job
from callbacks.user_errors import told
from rnnrepair.errors import ConfigurationError
from rnnrepair.models import Schedule
from rnnrepair.process import collector_at_rest, tune_process

log = logging.getLogger("train")

# Warnings of libraries that tell a user of this program nothing, each with the reason.
HARMLESS_WARNINGS = (
    r".*LeafSpec.*",  # Lightning uses a deprecated name of torch, once per epoch
    r"Experiment logs directory .* exists and is not empty",  # keep_metrics has seen to it
    r"The dirpath has changed",  # a shared base training was written by another run
    r"The number of training batches .* is smaller than the logging interval",
)


def train(cfg: DictConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run one experiment.

    Args:
        cfg: composed configuration.

    Returns:
        The run's summary (see ``RepairReport``) and its objects: trainer, model, datamodule,
        callbacks.
    """
    check_config(cfg)
    for message in HARMLESS_WARNINGS:
        warnings.filterwarnings("ignore", message)
    tune_process()
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    datamodule = instantiate(cfg.datamodule, _convert_="all")
    datamodule.setup()
    log.info("Data: %s, %s", datamodule.source, datamodule.sizes())
    plan_epochs(cfg, datamodule.steps_per_epoch)
    make_model = instantiate(cfg.model, _partial_=True, _convert_="all")
    model = make_model(**datamodule.model_arguments())
    callbacks = [
        instantiate(config, _convert_="all")
        for name, config in cfg.callbacks.items()
        if name != "progress_bar" or cfg.trainer.enable_progress_bar
    ]
    studies = [instantiate(config, _convert_="all") for config in cfg.study.values()]
    if studies:
        settings = instantiate(cfg.abstraction, _convert_="all")
        bars = cfg.trainer.enable_progress_bar
        callbacks.append(StudyRunner(studies, settings, cfg.paths.output_dir, progress=bars))
    base = share_base(cfg, datamodule.fingerprint, model, callbacks)
    keep_metrics(Path(cfg.paths.output_dir))
    loggers = [instantiate(c, _convert_="all") for c in (cfg.get("logger") or {}).values()]
    trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=loggers, _convert_="all")
    for logger in trainer.loggers:
        logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))
    with collector_at_rest():
        trainer.fit(model, datamodule, ckpt_path=cfg.ckpt_path or base, weights_only=True)
    reports = [c for c in callbacks if isinstance(c, RepairReport)]
    summary = reports[0].summary if reports else {}
    objects = {"trainer": trainer, "model": model, "datamodule": datamodule, "callbacks": callbacks}
    return summary, objects


def check_config(cfg: DictConfig) -> None:
    """Refuse names that select nothing, all in one message, before anything is loaded.

    Raises:
        ConfigurationError: names every wrong key with the values it may have.
    """
    choices = {
        "repair.strategy": cfg.repair.strategies,
        "repair.edit": cfg.edits,
        "augmentation.edit": cfg.edits,
    }
    wrong = [
        f"{key} must be one of {sorted(group)}, got {OmegaConf.select(cfg, key)!r}"
        for key, group in choices.items()
        if OmegaConf.select(cfg, key) not in group
    ]
    wrong += misplaced_studies(cfg.study)
    if cfg.ckpt_path is not None and not Path(cfg.ckpt_path).is_file():
        wrong.append(f"ckpt_path={cfg.ckpt_path} is no file: name a checkpoints/last.ckpt")
    if wrong:
        raise ConfigurationError("; ".join(wrong) + ".")


def plan_epochs(cfg: DictConfig, steps_per_epoch: int) -> None:
    """Turn the step budgets of ``cfg.schedule`` into epochs; epochs that are given stay."""
    plan = cfg.schedule
    budgets = {
        name: (
            plan[f"{name}_steps"]
            if plan[f"{name}_epochs"] is None
            else plan[f"{name}_epochs"] * steps_per_epoch
        )
        for name in ("base", "round", "final")
    }
    schedule = Schedule.from_steps(
        base_steps=budgets["base"],
        round_steps=budgets["round"],
        final_steps=budgets["final"],
        rounds=cfg.repair.rounds,
        steps_per_epoch=steps_per_epoch,
    )
    for name, value in vars(schedule).items():
        if plan[name] is None:
            plan[name] = value
    if plan.final_on_repair and plan.final_epochs:
        plan.release_epoch = plan.total_epochs - plan.final_epochs
        # No failures are drawn from what is trained on.
        last = max(plan.release_epoch - 1, plan.base_epochs)
        plan.last_analysis = min(plan.last_analysis, last)
    strategy = instantiate(cfg.repair.strategies[cfg.repair.strategy])
    if getattr(strategy, "starts_anew", False):
        # All stages once more, with a new network; only the base is analysed.
        plan.anew_epoch = plan.base_epochs
        plan.total_epochs += plan.base_epochs
        plan.last_analysis = plan.base_epochs
    if plan.total_epochs - plan.final_epochs < min(plan.base_epochs, plan.total_epochs):
        raise ConfigurationError(
            f"schedule.total_epochs={plan.total_epochs} leaves {plan.final_epochs} final epochs "
            f"inside the {plan.base_epochs} base epochs: raise schedule.total_epochs, or lower "
            "schedule.base_epochs or schedule.final_epochs."
        )
    if not 0 <= plan.settle_epochs <= plan.base_epochs:
        raise ConfigurationError(
            f"schedule.settle_epochs={plan.settle_epochs} must lie in 0 .. {plan.base_epochs}, the "
            "number of base epochs."
        )
    log.info(
        "Schedule: %d base epochs, %d rounds of %d, %d at the end.",
        plan.base_epochs,
        cfg.repair.rounds,
        plan.round_epochs,
        plan.final_epochs,
    )


def keep_metrics(folder: Path) -> None:
    """Rename the metrics of an earlier run in this folder, which Lightning would delete."""
    old = folder / "metrics.csv"
    if old.is_file():
        earlier = len(list(folder.glob("metrics_until_*.csv")))
        old.rename(folder / f"metrics_until_{earlier + 1}.csv")


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Run one experiment and return its val accuracy, for sweepers."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return sweep_job(cfg, HydraConfig.get().overrides.task, check_config, objective)
    try:
        return objective(cfg)
    except Exception as error:
        if told(error) is None:
            raise
        log.error("%s", told(error))
        sys.exit(2)


def objective(cfg: DictConfig) -> float | None:
    """Run one experiment and return its val accuracy."""
    try:
        summary, _ = train(cfg)
    finally:
        finish_wandb()
    return summary["after"]["val_accuracy"] if summary else None


def finish_wandb() -> None:
    """Close the W&B run, so that the next job of a multirun starts its own."""
    if "wandb" in sys.modules and sys.modules["wandb"].run is not None:
        sys.modules["wandb"].finish()


if __name__ == "__main__":
    main()
