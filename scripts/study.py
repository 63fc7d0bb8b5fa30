"""Study a run that is there: ``python scripts/study.py run=<folder> study=k_sweep [overrides]``."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import hydra
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.analysis import FinishedRun, silent
from rnnrepair.callbacks import run_studies
from rnnrepair.callbacks.launch.check import misplaced_studies
from rnnrepair.callbacks.launch.keys import faults_in, keys_told
from rnnrepair.callbacks.launch.user_errors import USER_ERRORS, told
from rnnrepair.callbacks.study_runner import progress_bars
from rnnrepair.datamodules import SequenceDataModule
from rnnrepair.errors import ConfigurationError, IncompatibleCheckpointError
from rnnrepair.network import verified

# Settings of the W&B logger: those of training.
WANDB = Path(__file__).parents[1] / "configs" / "logger" / "wandb.yaml"

log = logging.getLogger("study")


def study(cfg: DictConfig) -> None:
    """Run the chosen studies on a finished run and write them into its folder."""
    wrong = [*misplaced_studies(cfg.study), *faults_in(cfg, "study")]
    if wrong:
        raise ConfigurationError("; ".join(wrong) + ".")
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    studies = [instantiate(config, _convert_="all") for config in cfg.study.values()]
    folder = Path(cfg.run).expanduser()
    run_cfg, weights = read_run(folder, cfg.checkpoint)
    if cfg.data_dir is not None:
        run_cfg.paths.data_dir = cfg.data_dir
    keep_log(folder / "study.log")
    run = finished_run(run_cfg, weights, cfg)
    run_studies(run, studies, folder, [wandb_of(run_cfg)] if cfg.wandb else [])


def wandb_of(run_cfg: DictConfig) -> Logger:
    """Return the W&B logger of a run, whatever loggers the run itself had."""
    with_logger = OmegaConf.merge(run_cfg, {"logger": OmegaConf.load(WANDB)})
    settings = OmegaConf.merge(with_logger.logger.wandb, {"job_type": "study"})
    return instantiate(settings, _convert_="all")  # type: ignore[no-any-return]


def keep_log(path: Path) -> None:
    """Write the log to a file too."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    logging.getLogger().addHandler(handler)


def read_run(folder: Path, checkpoint: str) -> tuple[DictConfig, Path]:
    """Return the configuration of a run and the file of its network.

    Raises:
        IncompatibleCheckpointError: the folder lacks one of them, or the run has not ended.
    """
    config = folder / ".hydra" / "config.yaml"
    weights = folder / "checkpoints" / f"{checkpoint}.ckpt"
    missing = [str(path) for path in (config, weights) if not path.is_file()]
    if missing:
        raise IncompatibleCheckpointError(
            f"run={folder} is no finished run of train.py: {' and '.join(missing)} are missing. "
            "Name a folder such as outputs/mnist_repair/<time>."
        )
    run_cfg: DictConfig = OmegaConf.load(config)  # type: ignore[assignment]
    if run_cfg.callbacks.get("repair_report") and not (folder / "summary.json").is_file():
        raise IncompatibleCheckpointError(
            f"run={folder} has not ended: it has no summary.json. Go on with it first: "
            f"python train.py ... ckpt_path={folder}/checkpoints/last.ckpt"
        )
    OmegaConf.update(run_cfg, "paths.output_dir", str(folder))
    return run_cfg, weights


def finished_run(run_cfg: DictConfig, weights: Path, cfg: DictConfig) -> FinishedRun:
    """Rebuild data and network of a run.

    Raises:
        ConfigurationError: the settings of the abstraction do not exist.
        IncompatibleCheckpointError: the run is of another version, or of other data.
    """
    abstraction = abstraction_settings(run_cfg, cfg)
    try:
        saved = torch.load(weights, map_location="cpu", weights_only=True)
        datamodule = instantiate(run_cfg.datamodule, _convert_="all")
        datamodule.setup()
        # Before the network: other texts have another vocabulary.
        check_data(datamodule, saved, weights)
        make_model = instantiate(run_cfg.model, _partial_=True, _convert_="all")
        model = make_model(**datamodule.model_arguments())
        model.load_state_dict(saved["state_dict"])
    except (InstantiationException, RuntimeError, KeyError, UnpicklingError) as error:
        if isinstance(error.__cause__, USER_ERRORS):
            raise error.__cause__ from None
        raise IncompatibleCheckpointError(
            f"{weights} cannot be rebuilt; it is damaged, or was made by another version of "
            f"rnnrepair, so train it again. ({error})"
        ) from error
    bars = progress_bars if cfg.progress else silent
    collector = run_cfg.callbacks.get("trace_collector") or {}
    network = verified(model, datamodule, collector.get("tap"))
    return FinishedRun(network, datamodule, abstraction, bars, f"checkpoints/{weights.name}")


def abstraction_settings(run_cfg: DictConfig, cfg: DictConfig) -> AbstractionSettings:
    """Return the run's settings of the abstraction with those that the command line changes."""
    merged = OmegaConf.merge(run_cfg.abstraction, cfg.abstraction)
    try:
        with keys_told(run_cfg, "abstraction"):
            return instantiate(merged, _convert_="all")  # type: ignore[no-any-return]
    except InstantiationException as error:
        raise ConfigurationError(f"abstraction: {error.__cause__ or error}") from None


def check_data(datamodule: SequenceDataModule, saved: Mapping[str, Any], weights: Path) -> None:
    """Refuse data other than those of the run.

    Raises:
        IncompatibleCheckpointError: the fingerprints differ.
    """
    known = saved.get(type(datamodule).__qualname__, {})
    if known.get("fingerprint") != datamodule.fingerprint:
        raise IncompatibleCheckpointError(
            f"The run of {weights} was made with other data or another split than "
            f"{datamodule.source} now gives: name the folder it was made with in data_dir=, or "
            "in RNNREPAIR_DATA."
        )


@hydra.main(version_base="1.3", config_path="../configs", config_name="finished")
def main(cfg: DictConfig) -> None:
    """Run the studies; what a user can mend ends the program with one line."""
    try:
        study(cfg)
    except Exception as error:
        if told(error) is None:
            raise
        log.error("%s", told(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
