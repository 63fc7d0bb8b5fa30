"""Refuses a configuration that cannot run before anything is loaded."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from rnnrepair.atomic import make_folder
from rnnrepair.callbacks.launch.keys import faults_in, key_of, keys_by_name
from rnnrepair.errors import ConfigurationError
from rnnrepair.runs import Schedule
from rnnrepair.scores import Monitor
from rnnrepair.settings import faults_of

# The first name of what a value refers to.
_REFERRED = re.compile(r"\$\{(\w+)[.}]")


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
        f"{key} must be one of {sorted(group)}, got {OmegaConf.select(cfg, key)!r}"
        for key, group in choices.items()
        if OmegaConf.select(cfg, key) not in group
    ]
    if not isinstance(cfg.seed, int) or not 0 <= cfg.seed < 2**32:
        wrong.append(f"seed: expected an integer of 0 to {2**32 - 1}, got {cfg.seed!r}")
    wrong += unknown_keys(cfg, "train")
    wrong += misplaced_studies(cfg.study)
    wrong += overruled_steps(cfg, written_keys())
    of_classes = faults_in(cfg, "datamodule", "model", "callbacks", "study")
    wrong += [line for line in of_classes if not line.startswith("monitor:")]  # told above
    wrong += [line for line in faulty_schedule(cfg) if line not in wrong]
    if cfg.ckpt_path is not None and not Path(cfg.ckpt_path).is_file():
        wrong.append(f"ckpt_path={cfg.ckpt_path} is no file: name a checkpoints/last.ckpt")
    if wrong:
        raise ConfigurationError("; ".join(wrong) + ".")


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


def check_keys(cfg: DictConfig, name: str) -> None:
    """Refuse keys that a program does not know.

    Raises:
        ConfigurationError: names each, and the keys that may be meant.
    """
    wrong = unknown_keys(cfg, name)
    if wrong:
        raise ConfigurationError("; ".join(wrong) + ".")


def unknown_keys(cfg: DictConfig, name: str) -> list[str]:
    """Return what is wrong with the keys at the top of a configuration: nothing would read them.

    Args:
        cfg: composed of ``configs/NAME.yaml`` and what a user adds.
        name: of that file.
    """
    plain: Any = OmegaConf.create((files("rnnrepair.configs") / f"{name}.yaml").read_text("utf-8"))
    groups = {str(group) for entry in plain.pop("defaults") for group in _groups_of(entry)}
    # Keys of a user's own may be what others refer to.
    referred = set(_REFERRED.findall(OmegaConf.to_yaml(cfg, resolve=False)))
    unknown = [key for key in map(str, cfg) if key not in {*plain, *groups, *referred}]
    meant = keys_by_name(
        OmegaConf.masked_copy(cfg, [key for key in map(str, cfg) if key not in unknown])
    )
    return [f"{key} is no key of {name}.yaml{_told_instead(key, cfg, meant)}" for key in unknown]


def _groups_of(entry: Any) -> Iterator[str]:
    """Yield the group that an entry of a defaults list is of, none for a file beside it."""
    if OmegaConf.is_dict(entry):
        yield from (str(group) for group in entry)


def _told_instead(key: str, cfg: DictConfig, meant: Mapping[str, Sequence[str]]) -> str:
    """Return which keys may be meant by one that is unknown."""
    names = [key] if key in meant else get_close_matches(key, meant, n=3, cutoff=0.8)
    value = str(cfg[key]).lower() if isinstance(cfg[key], bool) else cfg[key]
    such = [f"{found}={value}" for name in names for found in meant[name][:3]]
    return f": write {' or '.join(such)}, without a +" if such else ": leave it out"


def misplaced_studies(study: DictConfig) -> list[str]:
    """Return what is wrong with the keys of the config group ``study``."""
    return [
        f"study.{name!s} must be a study with a _target_, got {value!r} (settings of a study are "
        f"study.NAME.{name!s})"
        for name, value in study.items()
        if "_target_" not in (value if isinstance(value, DictConfig) else {})
    ]
