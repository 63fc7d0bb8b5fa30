"""Refuses a configuration that cannot run before anything is loaded."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from rnnrepair.errors import ConfigurationError


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


def misplaced_studies(study: DictConfig) -> list[str]:
    """Return what is wrong with the keys of the config group ``study``."""
    return [
        f"study.{name!s} must be a study with a _target_, got {value!r} (settings of a study are "
        f"study.NAME.{name!s})"
        for name, value in study.items()
        if "_target_" not in (value if isinstance(value, DictConfig) else {})
    ]
