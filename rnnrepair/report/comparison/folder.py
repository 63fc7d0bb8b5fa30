"""Reads the runs of a folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnnrepair.errors import DataError
from rnnrepair.report.comparison.items import ITEMS_FILE, read_items
from rnnrepair.report.comparison.runs import (
    SUMMARY_METRICS,
    About,
    Answers,
    Contrast,
    Run,
    Runs,
    base_of,
)

# Metrics that stand in a section of summary.json; the others stand at its top.
SECTIONS = {
    "repaired_share": ("after", "repaired_share"),
    "targets_share": ("after", "targets_share"),
    "targets_right": ("after", "targets_right"),
}


def read_folder(folder: Path) -> Runs:
    """Return every finished run below a folder.

    Raises:
        DataError: no finished run, or runs that may not be compared.
    """
    files = sorted(folder.rglob("summary.json"))
    if not files:
        raise DataError(
            f"{folder} holds no summary.json: name the folder of a multirun that has finished runs."
        )
    return Runs(_read_run(file) for file in files)


def _read_run(file: Path) -> Run:
    summary = json.loads(file.read_text(encoding="utf-8"))
    # The published protocol on MNIST counts targets, and repairs no network that went before.
    targets_only = summary.get("measure") == "targets"
    items = {} if targets_only else read_items(file.with_name(ITEMS_FILE))
    contrasts = tuple(Contrast(**named) for named in summary.get("contrasts") or ())
    # Runs of another budget must not replace these in an export.
    data = summary["data"] | {key: summary[key] for key in ("budget",) if key in summary}
    return Run(
        arm=summary.get("arm") or summary["strategy"],
        seed=int(summary["seed"]),
        about=About(summary["experiment"], data, contrasts),
        base=base_of(items),
        values={name: _look_up(summary, SECTIONS.get(name, (name,))) for name in SUMMARY_METRICS},
        splits={split: Answers.of(predictions) for split, predictions in items.items()},
        origin=str(file.parent),
    )


def _look_up(summary: Any, keys: Sequence[str]) -> float:
    """Return a value of the summary, NaN where the experiment does not measure it."""
    for key in keys:
        summary = summary.get(key)
        if summary is None:
            return float("nan")
    return float(summary)
