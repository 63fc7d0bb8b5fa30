"""The end of a run for programs: ``summary.json``, a view of the record."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rnnrepair.atomic import write_file
from rnnrepair.record.parts import Repair
from rnnrepair.record.record import RunRecord
from rnnrepair.scores import Monitor, confusion, score

# Splits of every run; the accuracy alone is told of further test splits.
SPLITS = ("test", "repair", "val")


def summary_of(record: RunRecord) -> dict[str, Any]:
    """Return what ``summary.json`` holds.

    A number of it is called by its place everywhere: ``after/test_accuracy`` in tables, curves and
    W&B is ``summary["after"]["test_accuracy"]``.
    """
    about: dict[str, Any] = {
        "experiment": record.experiment,
        "seed": record.seed,
        "strategy": record.strategy,
        "arm": record.arm,
        "contrasts": [asdict(contrast) for contrast in record.contrasts],
        "notes": list(record.notes),
        **({} if record.corrections is None else {"corrections": dict(record.corrections)}),
    }
    if record.repair is None:
        return about | _of_targets(record)
    about |= {
        "network": record.network,
        "repair_trained_on": record.repair.trained_on,
        "data": {"source": record.source, **record.sizes},
    }
    return about | _with_monitored(_of_repair(record.repair), record)


def _of_repair(repair: Repair) -> dict[str, Any]:
    outcomes = {split: answers.outcome for split, answers in repair.answers.items()}
    test, on_repair, val = (outcomes[split] for split in SPLITS)
    targets = repair.answers["repair"].right_among(repair.targets)
    effort, seconds = asdict(repair.effort), asdict(repair.seconds)
    more = [split for split in outcomes if split not in SPLITS]
    return {
        "n_components": repair.history[-1].n_components,
        "stability": repair.history[-1].stability,
        "before": {
            **{f"{split}_accuracy": outcomes[split].before for split in SPLITS},
            **{f"{split}_failures": outcomes[split].failures_before for split in SPLITS},
            "targets": len(targets),
            **{f"{split}_accuracy": outcomes[split].before for split in more},
        },
        "after": {
            **{f"{split}_accuracy": outcomes[split].after for split in SPLITS},
            "repaired_share": on_repair.repaired_share,
            "test_repaired_share": test.repaired_share,
            "val_repaired_share": val.repaired_share,
            "newly_broken": test.newly_broken,
            "targets_share": float(targets.double().mean()) if len(targets) else None,
            **{f"{split}_accuracy": outcomes[split].after for split in more},
            **_of_interpolation(repair),
        },
        **{name: value for name, value in effort.items() if value is not None},
        "stop_reason": repair.effort.stop_reason.value,
        "suspects": {
            "number": repair.n_suspects,
            "far": repair.n_far,
            "shared": [value.plain() for value in repair.shared],
        },
        **({"patterns": [found.plain() for found in repair.patterns]} if repair.patterns else {}),
        "time_s": {name: value for name, value in seconds.items() if name != "epoch"},
        "epoch_time_s": repair.seconds.epoch,
    }


def _of_interpolation(repair: Repair) -> dict[str, Any]:
    """Return what the network between both, that is best on val, does on the test split."""
    if repair.interpolation is None:
        return {}
    point = repair.interpolation.chosen("test")
    return {
        "interpolation_factor": point.factor,
        "interpolated_test_accuracy": point.accuracy,
        "interpolated_repaired_share": point.repaired_share,
        "interpolated_newly_broken": point.newly_broken,
    }


def _with_monitored(told: dict[str, Any], record: RunRecord) -> dict[str, Any]:
    """Add the score that chose on val, where it is not the accuracy, which is told anyway."""
    if record.repair is None or record.monitor == Monitor.ACCURACY:
        return told
    for split, answers in record.repair.answers.items():
        for when in ("before", "after"):
            confused = confusion(answers.label, getattr(answers, when))
            told[when][f"{split}_{record.monitor}"] = score(confused, record.monitor)
    return {"monitor": record.monitor, **told}


def _of_targets(record: RunRecord) -> dict[str, Any]:
    right = [look.targets_right for look in record.looks]
    accuracy = [look.test_accuracy for look in record.looks]
    return {
        "measure": "targets",
        "data": dict(record.sizes),
        "n_targets": record.sizes["repair"],
        "targets_right": right,
        "test_accuracy": accuracy,
        "after": {
            "targets_right": sum(right) / len(right),
            "test_accuracy": sum(accuracy) / len(accuracy),
        },
    }


def numbers_of(summary: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of before, after and the times by their places, for loggers.

    Example:
        >>> numbers_of({"seed": 3, "after": {"test_accuracy": 0.5, "repaired_share": None}})
        {'after/test_accuracy': 0.5}
    """
    return {
        f"{section}/{name}": float(value)
        for section in ("before", "after", "time_s")
        for name, value in summary.get(section, {}).items()
        if value is not None
    }


def write_summary(record: RunRecord, run_folder: Path) -> None:
    """Write ``summary.json`` into the folder of a run; the file is replaced in one step."""
    with write_file(run_folder / "summary.json") as draft:
        draft.write_text(json.dumps(summary_of(record), indent=2) + "\n")
