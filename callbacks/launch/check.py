"""Refuses a configuration that cannot run before anything is loaded."""

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from rnnrepair.atomic import make_folder
from rnnrepair.callbacks.launch.keys import faults_in, key_of
from rnnrepair.callbacks.launch.threads import faulty_threads
from rnnrepair.callbacks.launch.unknown_keys import (
    unknown_arguments,
    unknown_in_groups,
    unknown_keys,
)
from rnnrepair.errors import ConfigurationError
from rnnrepair.runs import Schedule
from rnnrepair.scores import Monitor
from rnnrepair.settings import faults_of

# Strategies that one kind of data has alone, and what does the same for others.
OF_OTHER_DATA = {
    "augment": "for images and series; of texts: all",
    "pattern_augments": "for images and series; of texts: pattern_from_start",
    "all": "for texts; of images and series: augment",
}


def check_config(cfg: DictConfig) -> None:
    """Refuse what cannot run, all in one message, before anything is loaded.

    Raises:
        ConfigurationError: names every key whose value is out of range or selects nothing.
    """
    choices = {
        "repair.strategy": cfg.repair.strategies,
        "repair.edit": cfg.edits,
        key_of(cfg, "augmentation.edit"): cfg.edits,
        "monitor": [monitor.value for monitor in Monitor],
    }
    wrong = [
        _no_choice(key, OmegaConf.select(cfg, key), sorted(group))
        for key, group in choices.items()
        if OmegaConf.select(cfg, key) not in group
    ]
    if circular := edits_of_themselves(cfg):  # nothing that reads these edits can be asked
        raise ConfigurationError("; ".join([*wrong, circular]) + ".")
    seed_fits = isinstance(cfg.seed, int) and 0 <= cfg.seed < 2**32
    if not seed_fits:
        wrong.append(f"seed: expected an integer of 0 to {2**32 - 1}, got {cfg.seed!r}")
    wrong += faulty_threads(cfg.threads) + several_devices(cfg.trainer)
    wrong += faulty_optimizer(cfg.model)
    wrong += unknown_keys(cfg, "train") + unknown_in_groups(cfg)
    wrong += unknown_arguments(cfg, "datamodule", "model", "callbacks", "study", "trainer")
    wrong += misplaced_studies(cfg.study)
    wrong += overruled_steps(cfg, written_keys()) + unplanted(cfg, written_keys())
    of_classes = faults_in(cfg, "datamodule", "model", "callbacks", "study")
    told_above = ("monitor:", "seed:")
    wrong += [line for line in of_classes if not line.startswith(told_above)]
    wrong += [line for line in faulty_schedule(cfg) if line not in wrong]
    if cfg.ckpt_path is not None and not Path(cfg.ckpt_path).is_file():
        wrong.append(f"ckpt_path={cfg.ckpt_path} is no file: name a checkpoints/last.ckpt")
    if wrong:
        raise ConfigurationError("; ".join(wrong) + ".")


def _no_choice(key: str, value: object, choices: list[str]) -> str:
    near = get_close_matches(str(value), choices, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    if key == "repair.strategy" and value in OF_OTHER_DATA:
        meant = f" ({OF_OTHER_DATA[str(value)]})"
    return f"{key} must be one of {choices}, got {value!r}{meant}"


def edits_of_themselves(cfg: DictConfig) -> str:
    """Return what to write where edits would draw everything else from themselves, else nothing."""
    name = cfg.augmentation.edit
    families: Any = OmegaConf.to_container(cfg.edits, resolve=False)
    if "${augmentation.edit}" not in str(families.get(name)):
        return ""
    usual = [n for n in ("image", "series", "token") if n in cfg.edits]
    return (
        f"augmentation.edit={name}: these edits are the usual ones and more, and the usual ones "
        "are those of augmentation.edit: write augmentation.edit=... beside repair.edit=..., one "
        f"of {usual}"
    )


def faulty_optimizer(model: DictConfig) -> list[str]:
    """Return what the optimizer says of its settings: it is made of them once training begins."""
    if "optimizer" not in model or not str(model.get("_target_")).startswith("rnnrepair."):
        return []  # a network of the user's own may make its optimizer itself
    optimizer = model.get("optimizer")
    if not isinstance(optimizer, DictConfig):
        return [
            f"model.optimizer: expected settings of an optimizer, got {optimizer!r}: another one "
            "is chosen by optimization@model=sgd"
        ]
    try:
        instantiate(optimizer)([torch.nn.Parameter(torch.zeros(1))])
    except (TypeError, ValueError, InstantiationException) as error:
        return [f"model.optimizer: {error.__cause__ or error}"]
    return []


def several_devices(trainer: DictConfig) -> list[str]:
    """Return what is wrong with the devices: Lightning begins a process for each of several."""
    devices, nodes = trainer.get("devices", 1), trainer.get("num_nodes", 1)
    if devices == "auto" and torch.cuda.device_count() < 2:
        devices = 1
    n_devices = len(devices) if OmegaConf.is_list(devices) else devices
    told = {"trainer.devices": n_devices, "trainer.num_nodes": nodes}
    return [
        f"{key}: the analysis reads the whole training set on one device, got {n!r}: write {key}=1"
        for key, n in told.items()
        if str(n) != "1"
    ]


def check_folders(cfg: DictConfig) -> None:
    """Refuse folders that a run writes to and that cannot be written.

    Raises:
        ConfigurationError: names every one.
    """
    wrong = []
    for key in ("paths.output_dir", "paths.cache_dir"):
        folder = Path(OmegaConf.select(cfg, key))
        try:
            make_folder(folder)
        except OSError as error:
            wrong.append(f"{key}={folder} cannot be written ({error}): name another folder")
    if wrong:
        raise ConfigurationError("; ".join(wrong) + ".")


def faulty_schedule(cfg: DictConfig) -> list[str]:
    """Return what is wrong with the budgets of the schedule."""
    keys = {"rounds": "repair.rounds"}
    for stage in ("base", "round", "final"):
        unit = "steps" if cfg.schedule[f"{stage}_epochs"] is None else "epochs"
        keys[f"{stage}_steps"] = f"schedule.{stage}_{unit}"
    values = {name: OmegaConf.select(cfg, key) for name, key in keys.items()}
    return [f"{keys[f.argument]}: {f.told}" for f in faults_of(Schedule.from_steps, values)]


def written_keys() -> set[str]:
    """Return the keys that the command line sets; none outside a command."""
    if not HydraConfig.initialized():
        return set()
    return {written.split("=")[0].lstrip("+") for written in HydraConfig.get().overrides.task}


def overruled_steps(cfg: DictConfig, written: Collection[str]) -> list[str]:
    """Return which of the keys that a user has written have no effect, and what to write.

    Epochs win over steps. That the configuration holds both is usual, for steps have defaults.
    """
    told = []
    for stage in ("base", "round", "final"):
        steps, epochs = (f"schedule.{stage}_{unit}" for unit in ("steps", "epochs"))
        n_epochs = OmegaConf.select(cfg, epochs)
        if steps in written and n_epochs is not None:
            told.append(
                f"{steps}={OmegaConf.select(cfg, steps)} has no effect beside {epochs}="
                f"{n_epochs}: write {epochs}=null too, or {epochs} alone"
            )
    return told


def unplanted(cfg: DictConfig, written: Collection[str]) -> list[str]:
    """Return what to write where a user chooses what is planted, and nothing is."""
    plant = sorted(k for k in written if k == "plant" or k.startswith("edits.planted."))
    asks = {OmegaConf.select(cfg, key) for key in ("repair.edit", "augmentation.edit")}
    planted = "edits.planted" in str(OmegaConf.to_container(cfg.datamodule, resolve=False))
    if not plant or planted or asks & {"known", "planted"}:
        return []
    return [
        f"{' and '.join(plant)}: nothing is planted here (datamodule.rare is what plants): take "
        "+experiment=mnist_rare or +experiment=series_rare, or add '+datamodule.rare={_target_: "
        "rnnrepair.datamodules.RareEdit, share: 0.01, edits: ${edits.planted}}'"
    ]


def misplaced_studies(study: DictConfig) -> list[str]:
    """Return what is wrong with the keys of the config group ``study``."""
    return [
        f"study.{name!s} must be a study with a _target_, got {value!r} (settings of a study are "
        f"study.NAME.{name!s})"
        for name, value in study.items()
        if "_target_" not in (value if isinstance(value, DictConfig) else {})
    ]
