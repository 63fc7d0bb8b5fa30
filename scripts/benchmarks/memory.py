"""Peak memory of the analysis above that of training, in a process of its own."""

import logging
import multiprocessing
import resource
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from benchmarks.measure import Measure, at_most
from benchmarks.workbench import CHAIN, Workbench, make_trainer
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from typing_extensions import override

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


def measure(bench: Workbench) -> list[Measure]:
    """Train and analyse once in a fresh process."""
    plain = OmegaConf.to_container(bench.cfg, resolve=True)
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        peak = pool.submit(train_and_analyse, plain).result()
    return [
        Measure(
            "memory of the analysis",
            peak["analysis_mb"] - peak["training_mb"],
            "MB",
            f"peak {peak['analysis_mb']:,.0f} MB with the chain, {peak['training_mb']:,.0f} MB "
            "in training, guided repair included",
            at_most(600),
            peak,
        )
    ]


class _PeakBefore(pl.Callback):
    """Reads the peak of the training, before the chain starts."""

    def __init__(self) -> None:
        self.training_mb = 0.0

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.training_mb = peak_mb()


def train_and_analyse(plain: dict[str, Any]) -> dict[str, float]:
    """Run one short epoch with the whole chain and return both peaks in MB."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    cfg: DictConfig = OmegaConf.create(plain)
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    datamodule = instantiate(cfg.datamodule, _convert_="all")
    datamodule.setup()
    chain = [instantiate(cfg.callbacks[name], _convert_="all") for name in CHAIN]
    before = _PeakBefore()
    trainer = make_trainer(cfg, [before, *chain], limit_train_batches=cfg.benchmark.network_steps)
    # Reading the files takes more than training on them; that is not what is asked.
    reset_peak()
    trainer.fit(instantiate(cfg.model, _convert_="all"), datamodule)
    return {"training_mb": before.training_mb, "analysis_mb": peak_mb()}


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
