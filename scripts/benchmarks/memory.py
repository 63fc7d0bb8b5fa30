"""Peak memory of the analysis above that of training, in a process of its own."""

import logging
import multiprocessing
import resource
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytorch_lightning as pl
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from typing_extensions import override

from benchmarks.measure import Measure, at_most
from benchmarks.workbench import CHAIN, Workbench, make_trainer
from rnnrepair.callbacks.launch.threads import use_threads

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


def measure(bench: Workbench) -> list[Measure]:
    """Train and analyse once in a fresh process."""
    plain = OmegaConf.to_container(bench.cfg, resolve=True)
    fresh = multiprocessing.get_context("spawn")
    with TemporaryDirectory() as folder:
        checkpoint = str(Path(folder) / "last.ckpt")
        with ProcessPoolExecutor(1, mp_context=fresh) as pool:
            peak = pool.submit(train_and_analyse, plain, checkpoint).result()
        with ProcessPoolExecutor(1, mp_context=fresh) as pool:
            resumed = pool.submit(resume, plain, checkpoint).result()
    return [
        Measure(
            "memory of resuming",
            resumed["resumed_mb"] - resumed["data_mb"],
            "MB",
            f"peak {resumed['resumed_mb']:,.0f} MB when the run above is resumed, libraries and "
            f"data {resumed['data_mb']:,.0f} MB; {resumed['seconds']:.1f} s until it trains, the "
            f"checkpoint has {resumed['checkpoint_mb']:.1f} MB",
            at_most(600),
            resumed,
        ),
        Measure(
            "memory of the analysis",
            peak["analysis_mb"] - peak["training_mb"],
            "MB",
            f"peak {peak['analysis_mb']:,.0f} MB with the chain, {peak['training_mb']:,.0f} MB "
            "in training, guided repair included",
            at_most(600),
            peak,
        ),
    ]


class _PeakBefore(pl.Callback):
    """Reads the peak of the training, before the chain starts."""

    def __init__(self) -> None:
        self.training_mb = 0.0

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.training_mb = peak_mb()


class _SecondsToTrain(pl.Callback):
    """Notes when training goes on, and ends it."""

    def __init__(self) -> None:
        self.begun = 0.0

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.begun = time.perf_counter()
        trainer.should_stop = True


def train_and_analyse(plain: dict[str, Any], checkpoint: str) -> dict[str, float]:
    """Run one short epoch with the whole chain, save it, and return both peaks in MB."""
    cfg, datamodule = _prepared(plain)
    before = _PeakBefore()
    trainer = make_trainer(
        cfg, [before, *_chain(cfg)], limit_train_batches=cfg.benchmark.network_steps
    )
    # Reading the files takes more than training on them; that is not what is asked.
    reset_peak()
    trainer.fit(instantiate(cfg.model, _convert_="all"), datamodule)
    peak = peak_mb()
    trainer.save_checkpoint(checkpoint)
    return {"training_mb": before.training_mb, "analysis_mb": peak}


def resume(plain: dict[str, Any], checkpoint: str) -> dict[str, float]:
    """Go on with a run for one step; return peaks in MB, and the seconds until it trains."""
    cfg, datamodule = _prepared(plain)
    cfg.trainer.max_epochs = 2
    begun = _SecondsToTrain()
    trainer = make_trainer(
        cfg, [*_chain(cfg), begun], limit_train_batches=cfg.benchmark.network_steps
    )
    reset_peak()
    data_mb, start = peak_mb(), time.perf_counter()
    model = instantiate(cfg.model, _convert_="all")
    trainer.fit(model, datamodule, ckpt_path=checkpoint, weights_only=True)
    return {
        "data_mb": data_mb,
        "resumed_mb": peak_mb(),
        "seconds": begun.begun - start,
        "checkpoint_mb": Path(checkpoint).stat().st_size / 2**20,
    }


def _chain(cfg: DictConfig) -> list[pl.Callback]:
    return [instantiate(cfg.callbacks[name], _convert_="all") for name in CHAIN]


def _prepared(plain: dict[str, Any]) -> tuple[DictConfig, pl.LightningDataModule]:
    """Return configuration and data in a fresh process."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    cfg: DictConfig = OmegaConf.create(plain)
    use_threads(cfg.threads)
    datamodule = instantiate(cfg.datamodule, _convert_="all")
    datamodule.setup()
    return cfg, datamodule


def peak_mb() -> float:
    """Return the largest resident size so far."""
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def reset_peak() -> None:
    """Forget the peak so far, where the system can (Linux)."""
    if CLEAR.exists():
        CLEAR.write_text("5")
