"""SimNN from codes against the dense matrix, and the sweep over the number of states."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from benchmarks.measure import Measure, at_least, at_most, in_turns, seconds_of
from benchmarks.memory import peak_mb, reset_peak
from benchmarks.workbench import Workbench
from rnnrepair.callbacks.launch.threads import use_threads
from rnnrepair.studies import FinishedRun, KSweep, feature_table, fit_simnn
from rnnrepair.traces import Traces

# What the paper sweeps over; the cost of a K grows with it, and 43 is about the mean.
N_SIZES = 27
SIZES = (7, 43, 79)
SEEDS = (0, 1, 2)


def measure(bench: Workbench) -> list[Measure]:
    """Time both ways to train SimNN, and scale a sweep over three sizes to all."""
    settings = instantiate(bench.cfg.abstraction, _convert_="all")
    run = FinishedRun(bench.network(), bench.datamodule, settings)
    model, traces = run.abstraction(43)
    fit = traces["fit"].select(traces["fit"].correct)
    table = feature_table(model.confidence, "RL_ID_CS")
    n_steps, steps = int(fit.lengths.max()), bench.options.simnn_steps
    tables = table.expand(len(SEEDS), -1, -1)
    seconds = in_turns(
        {
            "codes": lambda: seconds_of(
                lambda: fit_simnn(fit, tables, list(SEEDS), n_steps, steps)
            ),
            "dense": lambda: sum(seconds_of(lambda: _dense(fit, table, steps)) for _ in SEEDS),
        },
        bench.options.repeats,
    )
    codes, dense = (min(seconds[name]) for name in ("codes", "dense"))
    # A process of its own: freed memory is kept, so that the peak of this one is that of all.
    plain = OmegaConf.to_container(bench.cfg, resolve=True)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        swept = pool.submit(sweep, plain).result()
    return [
        Measure(
            "SimNN from codes against dense",
            dense / codes,
            "x",
            f"{1000 * codes / steps:.0f} ms / {1000 * dense / steps:.0f} ms a step of "
            f"{len(SEEDS)} classifiers, {len(fit):,} traces; the dense matrix takes "
            f"{4 * len(fit) * n_steps * table.shape[1] / 1e6:,.0f} MB",
            at_least(1),
            seconds,
        ),
        Measure(
            "K sweep",
            swept["seconds"] / len(SIZES) * N_SIZES,
            "s",
            f"{N_SIZES} values with SimNN at {len(SEEDS)} seeds after collection, scaled from "
            f"K = {', '.join(map(str, SIZES))}",
            at_most(600),
        ),
        Measure(
            "memory of the K sweep",
            swept["peak_mb"],
            "MB",
            "peak of the process, of which libraries, data and network take "
            f"{swept['loaded_mb']:,.0f} MB",
            at_most(1500),
        ),
    ]


def sweep(plain: dict[str, Any]) -> dict[str, float]:
    """Sweep over three sizes in a fresh process; return its seconds and memory."""
    cfg: DictConfig = OmegaConf.create(plain)
    use_threads(cfg.threads)
    pl.seed_everything(cfg.seed, verbose=False)
    bench = Workbench(cfg)
    settings = instantiate(cfg.abstraction, _convert_="all")
    run = FinishedRun(bench.network(), bench.datamodule, settings)
    reset_peak()
    loaded_mb = peak_mb()
    run.states()
    start = time.perf_counter()
    KSweep(SIZES, (settings.reduction_dims,), len(SEEDS))(run)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_mb": peak_mb(), "loaded_mb": loaded_mb}


def _dense(traces: Traces, table: Tensor, steps: int) -> None:
    """Train one SimNN on the matrix of all features, as the original does."""
    inputs = table.float()[traces.padded_code().long()].flatten(1)
    network = nn.Linear(inputs.shape[1], traces.n_classes)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs), traces.label).backward()
        optimizer.step()
