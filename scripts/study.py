"""Study a run that is there: ``python scripts/study.py run=<folder> study=k_sweep [overrides]``.

``checkpoint=last|best|base`` says which of its networks. Results go into ``study/`` of the run,
those of other networks than the last and of other settings into folders of their own.
"""

import logging
from pathlib import Path

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger

from rnnrepair.callbacks import run_studies
from rnnrepair.callbacks.launch.check import misplaced_studies
from rnnrepair.callbacks.launch.finished import FinishedFolder, inject_again
from rnnrepair.callbacks.launch.keys import faults_in
from rnnrepair.callbacks.launch.refused_overrides import options_of, telling_refusals
from rnnrepair.callbacks.launch.retraining import TrainAgain
from rnnrepair.callbacks.launch.threads import use_threads
from rnnrepair.callbacks.launch.unknown_keys import check_keys
from rnnrepair.callbacks.launch.user_errors import ending_in_one_line
from rnnrepair.errors import ConfigurationError
from rnnrepair.network import verified
from rnnrepair.progress import bars_if, bars_shown
from rnnrepair.report import write_page
from rnnrepair.studies import FinishedRun

# Settings of the W&B logger: those of training.
WANDB = Path(__file__).parents[1] / "configs" / "logger" / "wandb.yaml"

# What there is for runs of programs of one's own.
OWN = (
    "rnnrepair.callbacks.study_network(net, data, [AutomatonStudy()], output_dir=...) in your "
    "program studies it"
)

log = logging.getLogger("study")


def study(cfg: DictConfig) -> None:
    """Run the chosen studies on a finished run, and show them on its page."""
    if not cfg.study:
        raise ConfigurationError(
            f"Say which study: study=NAME, one of {', '.join(options_of('study'))}."
        )
    misplaced = misplaced_studies(cfg.study)
    if misplaced:
        raise ConfigurationError("; ".join(misplaced) + ".")
    use_threads(cfg.threads)
    finished = FinishedFolder.open(Path(cfg.run).expanduser(), cfg.data_dir, OWN)
    # Studies read it.
    cfg.seed = finished.cfg.seed if cfg.seed is None else cfg.seed
    wrong = faults_in(cfg, "study")
    if wrong:
        raise ConfigurationError("; ".join(wrong) + ".")
    studies = [instantiate(config, _convert_="all") for config in cfg.study.values()]
    keep_log(finished.folder / "study.log")
    run = finished_run(finished, cfg)
    loggers = [wandb_of(finished.cfg)] if cfg.wandb else []
    try:
        run_studies(run, studies, finished.folder, loggers)
    finally:
        # Studies are about the data as they came; the page shows injected samples too.
        inject_again(run.data, finished.checkpoint())
        write_page(finished.folder, run.data)


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


def finished_run(finished: FinishedFolder, cfg: DictConfig) -> FinishedRun:
    """Rebuild data and network of a run.

    Raises:
        ConfigurationError: the settings of the abstraction do not exist.
        IncompatibleCheckpointError: the run is of another version, or of other data.
    """
    abstraction = finished.abstraction(cfg.abstraction)
    saved = finished.checkpoint(cfg.checkpoint)
    # Before the network: other texts have another vocabulary.
    datamodule = finished.data(saved)
    model = finished.network(datamodule, saved)
    bars = bars_if(cfg.progress)
    collector = finished.cfg.callbacks.get("trace_collector") or {}
    network = verified(model, datamodule, collector.get("tap"))
    train = TrainAgain(finished.planned(datamodule), datamodule)
    dynamics = finished.dynamics(saved)
    return FinishedRun(
        network,
        datamodule,
        abstraction,
        progress=bars,
        checkpoint=cfg.checkpoint,
        told=finished.told(cfg.checkpoint, saved),
        dynamics=dynamics,
        train=train,
    )


@hydra.main(version_base="1.3", config_path="../configs", config_name="finished")
def main(cfg: DictConfig) -> None:
    """Run the studies; what a user can mend ends the program with one line."""
    with ending_in_one_line(log), bars_shown(cfg.progress):
        check_keys(cfg, "finished")
        study(cfg)


if __name__ == "__main__":
    with telling_refusals("finished"):
        main()
