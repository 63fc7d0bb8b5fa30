"""Was a planted edit found, and named right? ``python scripts/planted.py <folder of runs>``.

Takes runs of ``+experiment=mnist_rare`` or ``series_rare`` with a strategy that looks for patterns,
such as ``repair.strategy=pattern``. A pattern is named right where it is the planted edit, of sizes
whose ends are within 15 % of the planted ones, where at least half of its failures have that edit,
and it has at least half of the failures that do.
Writes a row for each run into the folder (planted.csv), and prints their sums.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from rnnrepair.atomic import write_file
from rnnrepair.callbacks.launch.finished import FinishedFolder
from rnnrepair.edits.sweep import Sweep
from rnnrepair.edits.sweeps import sweep_of
from rnnrepair.errors import ConfigurationError, DataError, IncompatibleCheckpointError
from rnnrepair.record import FoundPattern, RunRecord

# Of the failures of the pattern, and of those that have what is planted.
ENOUGH = 0.5
# How far an end of the sizes that are named may be from that of the planted ones, as a share of it.
NEAR = 0.15
COLUMNS = [
    *("seed", "plant", "planted", "planted_fail", "told", "precision", "recall", "members"),
    *("edit", "low", "high", "near", "right"),
]


def is_planted(sweep: Sweep, planted: Mapping[str, Any], width: int) -> bool:
    """Return whether edits that are searched are of the kind that is planted.

    Of channels they are at least half of the planted ones, and no others.

    Args:
        sweep: what is searched.
        planted: ``ranges`` and ``spared`` of the plant (configs/plant).
        width: features of a step of the data.
    """
    for name, (low, high) in planted["ranges"].items():
        least = most = sweep.fixed.get(name, math.nan)
        if sweep.parameter == name:
            least, most = sweep.low, sweep.high
        if not (least <= high and low <= most):
            return False
        spared = set((planted["spared"] or {}).get(name, ()))
        left_alone = set(getattr(sweep.jitter, "spared", {}).get(name, ()))
        if not spared <= left_alone or 2 * (width - len(left_alone)) < width - len(spared):
            return False
    return True


def found_ends(sweep: Sweep, pattern: FoundPattern) -> tuple[float, float]:
    """Return the least and the largest size of a pattern's edits."""
    parameters = pattern.taught.parameters
    low, high = sweep.at(torch.tensor([parameters["from"], parameters["to"]])).tolist()
    return low, high


def are_near(found: Sequence[float], planted: Sequence[float]) -> bool:
    """Return whether both ends of a range are near those of another."""
    return all(abs(f - p) <= NEAR * abs(p) for f, p in zip(found, planted, strict=True))


def row_of(record: RunRecord, data: Any, plain: Any, planted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run has named of what was planted.

    Of several patterns the one that shares most failures with the plant counts.

    Args:
        record: of the run.
        data: of the run.
        plain: the same without the plant.
        planted: see ``is_planted``.

    Raises:
        DataError: no network was repaired.
    """
    if record.repair is None:
        raise DataError("expected a run of callbacks=repair, with a strategy such as pattern.")
    answers = record.repair.answers["repair"]
    with_it, without = (of.fetch(answers.index).inputs for of in (data, plain))
    rare = (with_it != without).flatten(1).any(1)
    fails = answers.index[rare & (answers.before != answers.label)]
    row = {"planted": int(rare.sum()), "planted_fail": len(fails)}
    patterns = record.repair.patterns
    if not patterns:
        return row | {"right": False}
    shared = [int(torch.isin(torch.tensor(each.failures), fails).sum()) for each in patterns]
    pattern, both = max(zip(patterns, shared, strict=True), key=lambda pair: pair[1])
    row |= {
        "told": pattern.taught.description,
        "precision": both / len(pattern.failures),
        "recall": both / max(len(fails), 1),
    }
    members = min(row["precision"], row["recall"]) >= ENOUGH
    sweep = sweep_of(str(pattern.taught.parameters.get("edit")), data.spec)
    edit = sweep is not None and is_planted(sweep, planted, data.spec.step_width)
    near = edit
    if edit and sweep is not None and sweep.parameter is not None:
        low, high = found_ends(sweep, pattern)
        near = are_near((low, high), planted["ranges"][sweep.parameter])
        row |= {"low": low, "high": high, "near": near}
    return row | {"edit": edit, "members": members, "right": edit and members and near}


def row_of_folder(folder: Path) -> dict[str, Any]:
    """Return the row of the run in a folder.

    Raises:
        DataError: nothing is planted in its data, or no network was repaired.
    """
    finished = FinishedFolder.open(folder)
    cfg: DictConfig = finished.cfg.copy()
    if cfg.datamodule.get("rare") is None:
        raise DataError("expected a run of mnist_rare or series_rare, and nothing is planted.")
    if not instantiate(cfg.repair.strategies[cfg.repair.strategy]).seeks_patterns:
        raise DataError(f"repair.strategy={cfg.repair.strategy} looks for no patterns.")
    planted: Any = OmegaConf.to_container(cfg.edits.planted, resolve=True)
    data = finished.data(finished.checkpoint())
    cfg.datamodule.rare = None
    plain = instantiate(cfg.datamodule, _convert_="all")
    plain.setup()
    ranges = planted["ranges"].items()
    told = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in ranges)
    row = row_of(RunRecord.load(folder), data, plain, planted)
    return {"seed": cfg.seed, "plant": told, **row}


def main() -> None:
    """Read the runs, write the rows, print their sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of the runs")
    folder = parser.parse_args().folder
    runs = sorted(file.parents[1] for file in folder.rglob("record/record.json"))
    if not runs:
        sys.exit(f"planted: {folder}: expected folders of runs, and there are none that has ended.")
    rows = []
    for run in runs:
        try:
            rows.append(row_of_folder(run))
        except (ConfigurationError, DataError, IncompatibleCheckpointError) as error:
            sys.exit(f"planted: {run}: {error}")
    table = pd.DataFrame(rows, columns=COLUMNS)
    with write_file(folder / "planted.csv") as draft:
        table.to_csv(draft, index=False)
    by_plant = table.groupby("plant")
    counts = ["edit", "members", "near", "right"]
    sums = table[counts].astype(float).groupby(table["plant"]).sum(min_count=1)
    means = by_plant[["planted_fail", "precision", "recall"]].mean().round(2)
    sizes = by_plant.size().rename("runs")
    print(pd.concat([sizes, sums, means], axis=1).to_string(na_rep="-", float_format="{:g}".format))


if __name__ == "__main__":
    main()
