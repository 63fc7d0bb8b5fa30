"""Train, analyse and repair: ``python train.py [-m] +experiment=NAME [overrides]``."""

import inspect
import logging
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from hydra.utils import instantiate
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

import datamodules as datamodules_package
from callbacks import BaseCheckpoint, RepairReport, StudyRunner, TraceCollector, epoch_seed
from rnnrepair import models as models_package
from rnnrepair import seeding
from rnnrepair import traces as traces_package
from rnnrepair.errors import (
    ConfigurationError,
    DataError,
    IncompatibleCheckpointError,
    NonFiniteError,
)
from rnnrepair.fingerprint import fingerprint_config, fingerprint_files
from rnnrepair.models import Schedule
from rnnrepair.process import collector_at_rest, tune_process
from rnnrepair.report.jobs import Job, Status, finished_before

log = logging.getLogger("train")

# Parts of trainer and callbacks that leave the weights of the base training as they are.
NOT_OF_THE_BASE = {
    "max_epochs",
    "default_root_dir",
    "enable_progress_bar",
    "enable_model_summary",
    "log_every_n_steps",
    "epoch_timer",
    "from_scratch",
    "progress_bar",
    "model_checkpoint",
    "last_checkpoint",
    "trace_collector",
    "state_abstraction",
    "influence_analysis",
    "repair_injection",
    "repair_report",
}

# Parts of the data module that change neither the data (they have a fingerprint of their own) nor
# the batches of training.
NOT_OF_THE_BATCHES = {
    "cache_dir",
    "data_dir",
    "eval_batch_size",
    "path",
    "source",
    "vectors",
    "verify_checksum",
}

USER_ERRORS = (
    ConfigurationError,
    DataError,
    IncompatibleCheckpointError,
    MisconfigurationException,
    NonFiniteError,
)


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
    wrong = [
        f"repair.{key} must be one of {sorted(cfg.repair[group])}, got {cfg.repair[key]!r}"
        for key, group in {"strategy": "strategies", "mutation": "mutations"}.items()
        if cfg.repair[key] not in cfg.repair[group]
    ]
    wrong += [
        f"study.{name} must be a study with a _target_, got {value!r} (settings of a study are "
        f"study.NAME.{name})"
        for name, value in cfg.study.items()
        if "_target_" not in (value if isinstance(value, DictConfig) else {})
    ]
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


def base_fingerprint(cfg: DictConfig, data: str, model: pl.LightningModule) -> str:
    """Return a name that two runs share only if their weights after the base training agree.

    It covers the configuration of model, optimizer, scheduler and trainer, of every callback that
    acts during the base training, the data and their order, the code of all that, the versions of
    torch and Lightning, and the kind of device.

    Args:
        cfg: composed configuration with a planned schedule.
        data: fingerprint of data and splits.
        model: the network, whose source file counts.
    """
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    network = dict(plain["model"])
    if network.get("scheduler"):
        # What it does after the base training may differ (plan_epochs keeps it out of the base).
        ending = {"total_epochs", "final_epochs", "final_factor"}
        network["scheduler"] = {k: v for k, v in network["scheduler"].items() if k not in ending}
    follows = plain["schedule"]["total_epochs"] - plain["schedule"]["final_epochs"]
    same = {
        "model": network,
        "data": data,
        "batches": {k: v for k, v in plain["datamodule"].items() if k not in NOT_OF_THE_BATCHES},
        # The rate that the base ends with is that of the epoch after it.
        "ends_at_once": follows <= plain["schedule"]["base_epochs"],
        "trainer": {k: v for k, v in plain["trainer"].items() if k not in NOT_OF_THE_BASE},
        "callbacks": {k: v for k, v in plain["callbacks"].items() if k not in NOT_OF_THE_BASE},
        "base_epochs": plain["schedule"]["base_epochs"],
        "seed": plain["seed"],
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.is_available(),
        "versions": [str(torch.__version__), pl.__version__],
        "code": fingerprint_files(
            [
                Path(seeding.__file__),
                Path(epoch_seed.__file__),
                Path(inspect.getfile(type(model))),
                *(
                    file
                    for package in (datamodules_package, models_package, traces_package)
                    for file in Path(package.__path__[0]).rglob("*.py")
                ),
            ]
        ),
    }
    return fingerprint_config(same)[:32]


def share_base(
    cfg: DictConfig, data: str, model: pl.LightningModule, callbacks: list[pl.Callback]
) -> str | None:
    """Add the callback that shares the base training; return its checkpoint if it is there.

    A run that continues from ``ckpt_path`` neither uses nor makes a shared base: its past may be
    another one than its configuration says.
    """
    chain = [i for i, c in enumerate(callbacks) if isinstance(c, TraceCollector)]
    if not cfg.schedule.share_base or cfg.ckpt_path is not None or not chain:
        return None
    name = base_fingerprint(cfg, data, model)
    path = Path(cfg.paths.cache_dir).resolve() / "base" / f"{name}.ckpt"
    callbacks.insert(chain[0], BaseCheckpoint(path, cfg.schedule.base_epochs))
    if not path.is_file():
        return None
    log.info("Base training taken from %s", path)
    return str(path)


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
        return sweep_job(cfg, list(HydraConfig.get().overrides.task))
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


def told(error: Exception) -> str | None:
    """Return an error that a user can mend as one line, None for any other."""
    # Hydra wraps what constructors raise; the cause is what the user can act on.
    cause = error.__cause__ if isinstance(error, InstantiationException) else error
    return f"{type(cause).__name__}: {cause}" if isinstance(cause, USER_ERRORS) else None


def sweep_job(cfg: DictConfig, overrides: list[str]) -> float | None:
    """Run one job of a multirun: not again if it has finished, and without stopping the others.

    A job that was interrupted goes on from its last checkpoint.
    """
    folder = Path(cfg.paths.output_dir)
    # Without the folder: jobs keep their identity when a multirun is given other jobs.
    plain = OmegaConf.merge(cfg, {"paths": {"output_dir": ""}})
    fingerprint = fingerprint_config(OmegaConf.to_container(plain, resolve=True))[:32]
    done = finished_before(folder, fingerprint)
    if done is not None:
        log.info("Finished before, in %s: not run again (delete that folder to).", done.folder)
        return done.objective
    earlier = Job.read(folder)
    if earlier is not None and earlier.fingerprint != fingerprint:
        raise ConfigurationError(
            f"{folder} holds another job ({' '.join(earlier.overrides)}): give the command that it "
            "was made with, or another hydra.sweep.dir."
        )
    last = folder / "checkpoints" / "last.ckpt"
    if earlier is not None and cfg.ckpt_path is None and last.is_file():
        log.info("Goes on from %s.", last)
        cfg.ckpt_path = str(last)
    job = Job(folder, fingerprint, Status.RUNNING, tuple(overrides))
    job.write()
    try:
        value = objective(cfg)
    except Exception as error:
        reason = told(error)
        if reason is None:
            log.exception("The job failed.")
            reason = f"{type(error).__name__}: {error}"
        else:
            log.error("The job failed: %s", reason)
        replace(job, status=Status.FAILED, error=reason).write()
        return None
    replace(job, status=Status.FINISHED, objective=value).write()
    return value


def finish_wandb() -> None:
    """Close the W&B run, so that the next job of a multirun starts its own."""
    if "wandb" in sys.modules and sys.modules["wandb"].run is not None:
        sys.modules["wandb"].finish()


if __name__ == "__main__":
    main()
