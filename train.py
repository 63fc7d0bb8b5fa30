"""Train, analyse and repair: ``python train.py [-m] +experiment=NAME [overrides]``."""

import logging
import sys
from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

import callbacks as callbacks_package
import datamodules as datamodules_package
from callbacks import BaseCheckpoint, RepairReport, TraceCollector
from rnnrepair import models as models_package
from rnnrepair.errors import (
    ConfigurationError,
    DataError,
    IncompatibleCheckpointError,
    NonFiniteError,
)
from rnnrepair.fingerprint import fingerprint_config, fingerprint_files
from rnnrepair.models import Schedule

log = logging.getLogger("train")

USER_ERRORS = (
    ConfigurationError,
    DataError,
    IncompatibleCheckpointError,
    MisconfigurationException,
    NonFiniteError,
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
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    datamodule = instantiate(cfg.datamodule, _convert_="all")
    datamodule.setup()
    log.info("Data: %s, %s", datamodule.source, datamodule.sizes())
    plan_epochs(cfg, datamodule.steps_per_epoch)
    model = instantiate(cfg.model, _convert_="all")
    callbacks = [
        instantiate(config, _convert_="all")
        for name, config in cfg.callbacks.items()
        if name != "progress_bar" or cfg.trainer.enable_progress_bar
    ]
    base = share_base(cfg, datamodule.fingerprint, callbacks)
    loggers = [instantiate(c, _convert_="all") for c in (cfg.get("logger") or {}).values()]
    trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=loggers, _convert_="all")
    for logger in trainer.loggers:
        logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))
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
    log.info(
        "Schedule: %d base epochs, %d rounds of %d, %d at the end.",
        plan.base_epochs,
        cfg.repair.rounds,
        plan.round_epochs,
        plan.final_epochs,
    )


def share_base(cfg: DictConfig, data: str, callbacks: list[pl.Callback]) -> str | None:
    """Add the callback that shares the base training; return its checkpoint if it is there.

    The fingerprint covers everything that can change the base weights: configuration of model,
    data, seed and trainer, the data themselves, the code, and torch's version.
    """
    if not cfg.schedule.share_base:
        return None
    same = OmegaConf.to_container(
        OmegaConf.create(
            {
                "model": {k: v for k, v in cfg.model.items() if k != "scheduler"},
                "batch_size": cfg.datamodule.batch_size,
                "trainer": {
                    k: v
                    for k, v in cfg.trainer.items()
                    if k not in ("max_epochs", "default_root_dir", "enable_progress_bar")
                },
                "base_epochs": cfg.schedule.base_epochs,
                "seed": cfg.seed,
                "threads": torch.get_num_threads(),
                "torch": str(torch.__version__),
            }
        ),
        resolve=True,
    )
    code = fingerprint_files(
        file
        for package in (callbacks_package, datamodules_package, models_package)
        for file in Path(package.__path__[0]).glob("*.py")
    )
    name = fingerprint_config({"config": same, "data": data, "code": code})
    path = Path(cfg.paths.cache_dir).resolve() / "base" / f"{name[:32]}.ckpt"
    first = next(i for i, c in enumerate(callbacks) if isinstance(c, TraceCollector))
    callbacks.insert(first, BaseCheckpoint(path, cfg.schedule.base_epochs))
    if not path.is_file():
        return None
    log.info("Base training taken from %s", path)
    return str(path)


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Run one experiment and return its val accuracy, for sweepers."""
    try:
        summary, _ = train(cfg)
    except (InstantiationException, *USER_ERRORS) as error:
        # Hydra wraps what constructors raise; the cause is what the user can act on.
        cause = error.__cause__ if isinstance(error, InstantiationException) else error
        if not isinstance(cause, USER_ERRORS):
            raise
        log.error("%s: %s", type(cause).__name__, cause)
        sys.exit(2)
    finally:
        finish_wandb()
    return summary["after"]["val_accuracy"] if summary else None


def finish_wandb() -> None:
    """Close the W&B run, so that the next job of a multirun starts its own."""
    if "wandb" in sys.modules and sys.modules["wandb"].run is not None:
        sys.modules["wandb"].finish()


if __name__ == "__main__":
    main()
