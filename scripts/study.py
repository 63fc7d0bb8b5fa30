"""Study a run that is there: ``python scripts/study.py run=<folder> study=k_sweep [overrides]``."""

import logging
import sys
from pathlib import Path

import hydra
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from callbacks import run_studies
from callbacks.study_runner import progress_bars
from callbacks.user_errors import USER_ERRORS, told
from rnnrepair.analysis import FinishedRun, silent
from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.models import as_recurrent

log = logging.getLogger("study")


def study(cfg: DictConfig) -> None:
    """Run the chosen studies on a finished run and write them into its folder."""
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    studies = [instantiate(config, _convert_="all") for config in cfg.study.values()]
    folder = Path(cfg.run).expanduser()
    run_cfg, checkpoint = read_run(folder, cfg.checkpoint)
    keep_log(folder / "study.log")
    run = finished_run(run_cfg, checkpoint, cfg)
    loggers = []
    if cfg.wandb:
        settings = OmegaConf.merge(run_cfg.logger.wandb, {"job_type": "study"})
        loggers = [instantiate(settings, _convert_="all")]
    run_studies(run, studies, folder, loggers)


def keep_log(path: Path) -> None:
    """Write the log to a file too."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    logging.getLogger().addHandler(handler)


def read_run(folder: Path, checkpoint: str) -> tuple[DictConfig, Path]:
    """Return the configuration of a run and the file of its network.

    Raises:
        IncompatibleCheckpointError: the folder lacks one of them.
    """
    config, weights = (
        folder / ".hydra" / "config.yaml",
        folder / "checkpoints" / f"{checkpoint}.ckpt",
    )
    missing = [str(path) for path in (config, weights) if not path.is_file()]
    if missing:
        raise IncompatibleCheckpointError(
            f"run={folder} is no finished run of train.py: {' and '.join(missing)} are missing. "
            "Name a folder such as outputs/mnist_repair/<time>."
        )
    run_cfg = OmegaConf.load(config)
    OmegaConf.update(run_cfg, "paths.output_dir", str(folder))
    return run_cfg, weights  # type: ignore[return-value]


def finished_run(run_cfg: DictConfig, weights: Path, cfg: DictConfig) -> FinishedRun:
    """Rebuild data and network of a run.

    Raises:
        IncompatibleCheckpointError: the run is of another version, or of other data.
    """
    saved = torch.load(weights, map_location="cpu", weights_only=True)
    try:
        datamodule = instantiate(run_cfg.datamodule, _convert_="all")
        datamodule.setup()
        make_model = instantiate(run_cfg.model, _partial_=True, _convert_="all")
        model = make_model(**datamodule.model_arguments())
        model.load_state_dict(saved["state_dict"])
        settings = OmegaConf.merge(run_cfg.abstraction, cfg.abstraction)
        abstraction = instantiate(settings, _convert_="all")
    except (InstantiationException, RuntimeError, KeyError) as error:
        if isinstance(error.__cause__, USER_ERRORS):
            raise error.__cause__ from None
        raise IncompatibleCheckpointError(
            f"The run of {weights} cannot be rebuilt; it was probably made by another version of "
            f"rnnrepair, so train it again. ({error})"
        ) from error
    data = saved.get(type(datamodule).__qualname__, {})
    if data.get("fingerprint") != datamodule.fingerprint:
        raise IncompatibleCheckpointError(
            f"The run of {weights} was made with other data or another split than "
            f"{datamodule.source} now gives: set RNNREPAIR_DATA to the folder it was made with."
        )
    bars = progress_bars if cfg.progress else silent
    collector = run_cfg.callbacks.get("trace_collector") or {}
    recurrent = as_recurrent(model, collector.get("rnn"), collector.get("head"))
    return FinishedRun(
        model, recurrent, datamodule, abstraction, bars, f"checkpoints/{weights.name}"
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
