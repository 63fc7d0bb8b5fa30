"""Finds the base training that a run can take over from an earlier one."""

import importlib
import inspect
import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from rnnrepair import edits, models, seeding, traces
from rnnrepair.callbacks import epoch_seed, step_answers, training_dynamics
from rnnrepair.callbacks.base_checkpoint import BaseCheckpoint
from rnnrepair.callbacks.launch.checkpoints import is_whole
from rnnrepair.callbacks.trace_collector import TraceCollector
from rnnrepair.fingerprint import fingerprint_config, fingerprint_files
from rnnrepair.influence import dynamics
from rnnrepair.network import answers

log = logging.getLogger(__name__)

# The unrepaired network, in checkpoints/ of a run.
BASE = "base.ckpt"

# Parts of trainer and callbacks that change nothing of what the base training leaves: its weights
# and its dynamics. So the recorder of dynamics is none of them: a base without is another.
NOT_OF_THE_BASE = {
    "anchor",
    "max_epochs",
    "default_root_dir",
    "enable_progress_bar",
    "enable_model_summary",
    "log_every_n_steps",
    "epoch_timer",
    "final_average",
    "from_scratch",
    "kept_checkpoints",
    "label_or_task",
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
    "progress",
    "source",
    "vectors",
    "verify_checksum",
}


def base_fingerprint(cfg: DictConfig, data: str, model: pl.LightningModule) -> str:
    """Return a name that two runs share only if what the base training leaves agrees.

    That is its weights and its dynamics. It covers the configuration of model, optimizer, scheduler
    and trainer, of every callback that acts during the base training, the data and their order, the
    code of all that, the versions of torch and Lightning, and the kind of device.

    Args:
        cfg: composed configuration with a planned schedule.
        data: fingerprint of data and splits.
        model: the network, whose source file counts.
    """
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    network = dict(plain["model"])
    if network.get("scheduler"):
        # What it does after the base training may differ (plan_epochs keeps it out of the base).
        ending = {"total_epochs", "final_epochs", "final_factor", "round_factor", "anew_epoch"}
        network["scheduler"] = {k: v for k, v in network["scheduler"].items() if k not in ending}
    same = {
        "model": network,
        "data": data,
        "batches": batches_of(plain["datamodule"]),
        "trainer": {k: v for k, v in plain["trainer"].items() if k not in NOT_OF_THE_BASE},
        # A network of the user's may read it, for a rate that falls until training ends.
        "max_epochs": None if _is_ours(model) else plain["trainer"]["max_epochs"],
        "callbacks": {k: v for k, v in plain["callbacks"].items() if k not in NOT_OF_THE_BASE},
        "base_epochs": plain["schedule"]["base_epochs"],
        "seed": plain["seed"],
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.is_available(),
        "versions": [str(torch.__version__), version("pytorch-lightning")],
        "code": fingerprint_files(
            [
                Path(seeding.__file__),
                Path(epoch_seed.__file__),
                # A base holds the dynamics of its training too.
                Path(answers.__file__),
                Path(dynamics.__file__),
                Path(training_dynamics.__file__),
                Path(step_answers.__file__),
                Path(inspect.getfile(type(model))),
                *_package_of(cfg.datamodule),
                *Path(models.__path__[0]).rglob("*.py"),
                *Path(traces.__path__[0]).rglob("*.py"),
                *Path(edits.__path__[0]).rglob("*.py"),
            ]
        ),
    }
    return fingerprint_config(same)[:32]


def share_base(
    cfg: DictConfig, data: str, model: pl.LightningModule, callbacks: list[pl.Callback]
) -> str | None:
    """Add the callback that keeps and shares the base; return its checkpoint if it is there.

    A run that continues from ``ckpt_path`` neither uses nor makes a shared base: its past may be
    another one than its configuration says. Nor does one that keeps the way to the base.
    """
    chain = [i for i, c in enumerate(callbacks) if isinstance(c, TraceCollector)]
    if not chain:
        return None
    shared = None
    if cfg.schedule.share_base and cfg.ckpt_path is None and not _keeps_the_way(cfg):
        name = base_fingerprint(cfg, data, model)
        shared = Path(cfg.paths.cache_dir).resolve() / "base" / f"{name}.ckpt"
    own = Path(cfg.paths.output_dir).resolve() / "checkpoints" / BASE
    callbacks.insert(chain[0], BaseCheckpoint(own, cfg.schedule.base_epochs, shared))
    if shared is None or not shared.is_file():
        return None
    if not is_whole(shared):
        log.warning("%s is damaged: it is removed, and the base trained anew.", shared)
        shared.unlink()
        return None
    log.info("Base training taken from %s", shared)
    return str(shared)


def _keeps_the_way(cfg: DictConfig) -> bool:
    """Return whether a run keeps what happens before the base is reached."""
    kept = cfg.callbacks.get("kept_checkpoints")
    return "trajectory_recorder" in cfg.callbacks or bool(kept and kept.every_n_epochs)


def _is_ours(model: pl.LightningModule) -> bool:
    return type(model).__module__.startswith(f"{models.__name__}.")


def batches_of(datamodule: dict[str, Any]) -> dict[str, Any]:
    """Return what of a data module's configuration changes the batches of training."""
    batches = {k: v for k, v in datamodule.items() if k not in NOT_OF_THE_BATCHES}
    if not (batches.get("augmentation") or {}).get("share"):
        batches.pop("augmentation", None)
    return batches


def _package_of(target: DictConfig) -> list[Path]:
    """Return the source files of the package that a ``_target_`` belongs to."""
    first, second, *_ = str(target["_target_"]).split(".")
    # What else stands in rnnrepair shapes no data.
    package = importlib.import_module(f"{first}.{second}" if first == "rnnrepair" else first)
    file = Path(inspect.getfile(package))
    return sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]
