"""Were planted causes named, and mended? ``python scripts/causes.py <folder of runs>``.

Takes runs of ``+experiment=mnist_causes``: of each seed one without a plant (``cause=nothing``),
and for each cause one with ``repair.strategy=none study=breakdown`` and any number of repaired
ones. The failures that count are those of test samples with the plant that the network without it
gets right.
Writes a row for each seed, cause and repair into the folder (causes.csv), and prints their sums.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from omegaconf import DictConfig
from torch import Tensor

from rnnrepair.atomic import write_file
from rnnrepair.callbacks.launch.finished import FinishedFolder
from rnnrepair.errors import ConfigurationError, DataError, IncompatibleCheckpointError
from rnnrepair.record import RunRecord
from rnnrepair.studies.breakdown import FailureKind

# What names a cause: the kinds of failures, and how the pattern must be called.
NAMED = {
    "labels": {FailureKind.LABEL, FailureKind.NEIGHBOURS, FailureKind.CORRECTED},
    "trigger": {FailureKind.TRIGGER},
    "pattern": {FailureKind.PATTERN},
    "scarcity": {FailureKind.CLASS},
    "copies": {FailureKind.COPY, FailureKind.NEIGHBOURS},
}
PATTERN = "inverted"
NOTHING = "nothing"


@dataclass(frozen=True)
class CauseRun:
    """A finished run of the experiment.

    Attributes:
        folder: of the run.
        seed: of it.
        cause: that is planted.
        repair: strategy, or ``corrections``; ``none`` for none.
        data: its data module.
        index: (N,) the test samples.
        predicted: (N,) int64 by the final network.
    """

    folder: Path
    seed: int
    cause: str
    repair: str
    data: Any
    index: Tensor
    predicted: Tensor

    @classmethod
    def of(cls, folder: Path) -> "CauseRun":
        """Read the run of a folder."""
        finished, record = FinishedFolder.open(folder), RunRecord.load(folder)
        if record.repair is None:
            raise DataError(f"{folder}: expected a run of callbacks=repair.")
        answers, cfg = record.repair.answers["test"], finished.cfg
        repair = "corrections" if cfg.datamodule.corrections else cfg.repair.strategy
        data = finished.data(finished.checkpoint())
        return cls(folder, cfg.seed, cause_of(cfg), repair, data, answers.index, answers.after)

    @property
    def true(self) -> Tensor:
        """(N,) the true labels."""
        return self.data.true_labels(self.index)

    def right(self) -> Tensor:
        """Return (N,) bool, by the true labels."""
        return self.predicted == self.true


def cause_of(cfg: DictConfig) -> str:
    """Return what a configuration plants."""
    data = cfg.datamodule
    fault = "" if data.fault is None else data.fault._target_.rpartition(".")[2]
    causes = {
        "labels": data.planted.share > 0,
        "trigger": data.trigger.n > 0,
        "pattern": data.rare is not None,
        "scarcity": fault == "ScarceClass",
        "copies": fault == "PlantedCopies",
    }
    planted = [cause for cause, there in causes.items() if there]
    return planted[0] if planted else NOTHING


def concerned(run: CauseRun, plain: CauseRun) -> Tensor:
    """Return (N,) bool: the test samples that the plant is about.

    Of wrong labels that is every sample: those of the training samples concern all.
    """
    if run.cause in ("trigger", "pattern"):
        here, there = (of.data.fetch(of.index).inputs for of in (run, plain))
        return (here != there).flatten(1).any(1)
    if run.cause == "scarcity":
        return run.true == run.data.fault.label
    if run.cause == "copies":
        fit = run.data.indices("fit")
        copied = run.data.fetch(fit[run.data.mislabelled(fit)]).inputs.flatten(1)
        tests = run.data.fetch(run.index).inputs.flatten(1)
        # Differences one by one: products of whole images would round equal ones apart.
        apart = torch.cdist(tests, copied, compute_mode="donot_use_mm_for_euclid_dist")
        return (apart == 0).any(1)
    return torch.ones(len(run.index), dtype=torch.bool)


def named(run: CauseRun) -> Tensor:
    """Return (N,) bool: the failures whose cause the study has named.

    Raises:
        DataError: the study has not been made.
    """
    path = run.folder / "study" / "breakdown" / "failures.csv"
    if not path.is_file():
        raise DataError(
            f"{path} is not there: train with study=breakdown, or run scripts/study.py."
        )
    table = pd.read_csv(path)
    right = table["kind"].isin([str(kind) for kind in NAMED[run.cause]])
    if run.cause == "pattern":
        right &= table["pattern"].fillna("").str.startswith(PATTERN)
    return torch.isin(run.index, torch.tensor(table["index"][right].tolist(), dtype=torch.int64))


def rows_of(runs: list[CauseRun], plain: CauseRun) -> Iterator[dict[str, Any]]:
    """Yield a row for each cause, and one for each repair of it, of one seed."""
    for cause in NAMED:
        of_cause = [run for run in runs if run.cause == cause]
        for before in (run for run in of_cause if run.repair == "none"):
            caused = concerned(before, plain) & plain.right() & ~before.right()
            row = {"seed": before.seed, "cause": cause, "failures": int(caused.sum())}
            if cause == "labels":
                # Whose own label is wrong is named by that, whatever is predicted.
                given = before.data.labels_of(before.index)
                own = before.data.mislabelled(before.index) & (before.predicted != given)
                yield row | {
                    "cause": "own label",
                    "failures": int(own.sum()),
                    "named": int((own & named(before)).sum()),
                }
                caused &= ~before.data.mislabelled(before.index)
                row |= {"cause": "labels of training", "failures": int(caused.sum())}
            yield row | {"named": int((caused & named(before)).sum())}
            for after in (run for run in of_cause if run.repair != "none"):
                yield row | {
                    "repair": after.repair,
                    "repaired": int((caused & after.right()).sum()),
                    "accuracy_before": float(before.right().float().mean()),
                    "accuracy_after": float(after.right().float().mean()),
                }


def main() -> None:
    """Read the runs, write the rows, print their sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of the runs")
    folder = parser.parse_args().folder
    try:
        found = sorted(file.parents[1] for file in folder.rglob("record/record.json"))
        runs = [CauseRun.of(each) for each in found]
        plain = {run.seed: run for run in runs if run.cause == NOTHING}
        lacking = sorted({run.seed for run in runs} - set(plain))
        if not runs or lacking:
            raise DataError(f"{folder}: no run with cause=nothing of the seeds {lacking or 'any'}.")
        rows = [
            row
            for seed, without in plain.items()
            for row in rows_of([run for run in runs if run.seed == seed], without)
        ]
    except (ConfigurationError, DataError, IncompatibleCheckpointError) as error:
        sys.exit(f"causes: {error}")
    columns = ["seed", "cause", "repair", "failures", "named", "repaired"]
    table = pd.DataFrame(rows, columns=[*columns, "accuracy_before", "accuracy_after"])
    with write_file(folder / "causes.csv") as draft:
        table.to_csv(draft, index=False)
    counts = ["failures", "named", "repaired"]
    sums = table.groupby(["cause", "repair"], dropna=False)[counts].sum(min_count=1)
    print(sums.to_string(na_rep="-"))


if __name__ == "__main__":
    main()
