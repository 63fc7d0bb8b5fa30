"""The command: ``rnnrepair-train [-m] +experiment=NAME [overrides]``, or ``python train.py``."""

import logging
import shlex
import signal
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from pytorch_lightning import Callback
from pytorch_lightning.utilities.exceptions import SIGTERMException

from rnnrepair.callbacks.launch.build import build
from rnnrepair.callbacks.launch.check import check_config
from rnnrepair.callbacks.launch.failed_start import TrainingBegan, remove_failed_start
from rnnrepair.callbacks.launch.messages import naming_keys
from rnnrepair.callbacks.launch.own_packages import search_in
from rnnrepair.callbacks.launch.refused_overrides import telling_refusals
from rnnrepair.callbacks.launch.sweep_job import sweep_job
from rnnrepair.callbacks.launch.user_errors import USER_ERROR, ending_in_one_line
from rnnrepair.callbacks.wandb.logger import finish_wandb

log = logging.getLogger("train")


def main() -> None:
    """Do what the command line says."""
    search_in(Path.cwd())
    try:
        with telling_refusals("train"):
            run()
    except SIGTERMException:
        # Lightning's exception would end a killed run with status 0, as if it had finished.
        sys.exit(128 + signal.SIGTERM)


@hydra.main(version_base="1.3", config_path="pkg://rnnrepair.configs", config_name="train")
def run(cfg: DictConfig) -> float | None:
    """Run one experiment and return its score on val, for sweepers."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return sweep_job(cfg, HydraConfig.get().overrides.task, check_config, objective)
    began = TrainingBegan()
    try:
        with ending_in_one_line(log):
            return objective(cfg, began)
    except SystemExit as end:
        # Who interrupts may have done so in an analysis, before the first epoch.
        if end.code == USER_ERROR and not began.known:
            remove_failed_start(cfg)
        raise


def objective(cfg: DictConfig, *extra: Callback) -> float | None:
    """Run one experiment, with further callbacks, and return its score on val, by ``monitor``."""
    failed = True
    try:
        with naming_keys(cfg):
            summary = build(cfg, extra).train()
        failed = False
    finally:
        finish_wandb(failed=failed)
        # What is refused before training would be refused again.
        if failed and any(isinstance(c, TrainingBegan) and c.known for c in extra):
            tell_how_to_go_on(cfg)
    return summary["after"][f"val_{cfg.monitor}"] if summary else None


def tell_how_to_go_on(cfg: DictConfig) -> None:
    """Log the command that continues a run which was interrupted or has failed, if one can."""
    last = Path(cfg.paths.output_dir) / "checkpoints" / "last.ckpt"
    # A job of a multirun is continued by the command of the multirun.
    if last.is_file() and HydraConfig.get().mode != RunMode.MULTIRUN:
        given = HydraConfig.get().overrides
        written = [o for o in given.task if not o.startswith("ckpt_path=")]
        written += [o for o in given.hydra if not o.startswith("hydra.mode=")]
        command = shlex.join(["python", "train.py", *written, f"ckpt_path={last}"])
        log.info("To go on from the last whole epoch: %s", command)
