"""Measure speed and memory as ratios in one run: ``python scripts/benchmark.py [overrides]``."""

import json
import logging
import os
import platform
import warnings
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from benchmarks import (
    analysis,
    attribution,
    datasets,
    dynamics,
    explaining,
    generation,
    gradients,
    memory,
    pattern_search,
    ranking,
    readers,
    replay,
    retraining,
    store,
    suspecting,
    sweep,
    text,
    training,
)
from benchmarks.measure import Measure
from benchmarks.workbench import Workbench
from rnnrepair.atomic import write_file
from rnnrepair.callbacks.launch.refused_overrides import telling_refusals
from rnnrepair.callbacks.launch.threads import use_threads
from rnnrepair.errors import ConfigurationError
from rnnrepair.process import collector_at_rest, tune_process

MEASURES: dict[str, Callable[[Workbench], Iterable[Measure]]] = {
    "training": training.measure,
    "dynamics": dynamics.measure,
    "ranking": ranking.measure,
    "attribution": attribution.measure,
    "gradients": gradients.measure,
    "analysis": analysis.measure,
    "memory": memory.measure,
    "store": store.measure,
    "datasets": datasets.measure,
    "explain": explaining.measure,
    "suspicion": suspecting.measure,
    "patterns": pattern_search.measure,
    "readers": readers.measure,
    "replay": replay.measure,
    "generation": generation.measure,
    "retraining": retraining.measure,
    "sweep": sweep.measure,
    "text": text.measure,
}


def benchmark(cfg: DictConfig) -> dict[str, Any]:
    """Run the chosen measures and return what ``benchmark.json`` holds.

    Raises:
        ConfigurationError: an unknown measure.
    """
    unknown = set(cfg.benchmark.measures) - set(MEASURES)
    if unknown:
        raise ConfigurationError(
            f"benchmark.measures must be among {list(MEASURES)}, got {sorted(unknown)}."
        )
    tune_process()
    use_threads(cfg.threads)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    console = Console(stderr=True)
    load = os.getloadavg()[0]
    console.print("Loading the data and training the network to analyse ...")
    bench = Workbench(cfg)
    rows: list[Measure] = []
    for name in cfg.benchmark.measures:
        console.print(f"Measuring {name} ...")
        with collector_at_rest():  # as in train.py
            rows += MEASURES[name](bench)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "load_before": load,
            "load_after": os.getloadavg()[0],
            "torch": str(torch.__version__),
        },
        "data": {"source": bench.datamodule.source, **bench.datamodule.sizes()},
        "failures": len(bench.failures),
        "targets_apply": bench.is_full,
        "measures": [row.as_dict(bench.is_full) for row in rows],
    }


def show(results: dict[str, Any]) -> None:
    """Print the results as a table."""
    machine = results["machine"]
    table = Table(
        title=f"rnnrepair benchmark, {results['data']['source']}, {machine['threads']} threads, "
        f"load {machine['load_before']:.1f} to {machine['load_after']:.1f}"
    )
    for column in ("measure", "value", "target", "met", "how"):
        table.add_column(column, justify="right" if column == "value" else "left")
    marks = {True: "[green]yes[/]", False: "[red]no[/]", None: "-"}
    for row in results["measures"]:
        value = f"{row['value']:,.3g}" if row["value"] < 1000 else f"{row['value']:,.0f}"
        target = row["target"] or "-"
        if row["target"] and not results["targets_apply"]:
            target = "not applicable"
        table.add_row(
            row["name"], f"{value} {row['unit']}", target, marks[row["met"]], row["explanation"]
        )
    Console().print(table)


@hydra.main(version_base="1.3", config_path="../configs", config_name="benchmark")
def main(cfg: DictConfig) -> None:
    """Measure, print and write."""
    # One line per Trainer about devices and one about loader workers: nothing of use here.
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    results = benchmark(cfg)
    with write_file(Path(cfg.benchmark.output)) as draft:
        draft.write_text(json.dumps(results, indent=2))
    show(results)
    Console().print(f"Written to {cfg.benchmark.output}")


if __name__ == "__main__":
    with telling_refusals("benchmark"):
        main()
