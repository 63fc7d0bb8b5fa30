"""A multirun as one table."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from rnnrepair.errors import DataError
from rnnrepair.record import RunRecord, summary_of
from rnnrepair.runs.jobs import Status, jobs_of

# Place in the summary of a run, which is the name of the column, and the name of its axis.
METRICS = {
    "before/test_accuracy": "test accuracy before",
    "after/test_accuracy": "test accuracy after",
    "after/val_accuracy": "val accuracy after",
    "after/val_balanced_accuracy": "val balanced accuracy after",
    "after/val_macro_f1": "val macro F1 after",
    "after/test_repaired_share": "share of test failures repaired",
    "after/targets_share": "share of the first failures repaired",
    "after/targets_right": "repair targets right",
    "after/newly_broken": "test samples newly broken",
    "stability": "mean stability",
    "injected": "samples injected",
    "time_s/total": "seconds",
}
# By which of those jobs are ranked: the first that was measured. What is not the accuracy is
# measured where it was to choose.
SCORES = (
    *("after/val_balanced_accuracy", "after/val_macro_f1"),
    *("after/val_accuracy", "after/test_accuracy"),
)

# Setting of a job that leaves it as the configuration has it.
DEFAULT = "default"

log = logging.getLogger(__name__)


def read_sweep(folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return a row for each finished job, and the settings in which jobs differ.

    A job that does not name a setting has ``DEFAULT`` there. A metric that no job has measured has
    no column.

    Raises:
        DataError: no finished job has a record, or jobs do not differ.
        IncompatibleCheckpointError: a record cannot be read.
    """
    rows, without = [], []
    for job in jobs_of(folder):
        if job.status is not Status.FINISHED:
            continue
        if not RunRecord.is_in(job.folder):
            without.append(job.folder.name)
            continue
        summary = summary_of(RunRecord.load(job.folder))
        pairs = (setting.lstrip("+").partition("=") for setting in job.overrides)
        settings = {name: value for name, _, value in pairs}
        metrics = {name: look_up(summary, name) for name in METRICS}
        rows.append({"job": job.folder.name, **settings, **metrics})
    if without:
        log.warning("Left out, because they left no record: %s", ", ".join(without))
    if not rows:
        raise DataError(
            f"{folder} holds no finished job with a record: expected folders with job.json and "
            "record/ in it, as a multirun with the callback RepairReport leaves them."
        )
    table = pd.DataFrame(rows).astype(dict.fromkeys(METRICS, float))
    candidates = [c for c in table.columns if c not in METRICS and c != "job"]
    table[candidates] = table[candidates].fillna(DEFAULT)
    varied = [column for column in candidates if table[column].nunique() > 1]
    if not varied:
        raise DataError(f"The {len(table)} jobs of {folder} do not differ in any setting.")
    for column in varied:
        numbers = pd.to_numeric(table[column], errors="coerce")
        if numbers.notna().all():
            table[column] = numbers
    measured = [name for name in METRICS if table[name].notna().any()]
    return table[["job", *varied, *measured]], varied


def look_up(summary: Mapping[str, Any], place: str) -> float | None:
    """Return a number of a summary by its place, None where the run has not measured it.

    Example:
        >>> look_up({"after": {"test_accuracy": 0.5}}, "after/test_accuracy")
        0.5
    """
    value: Any = summary
    for key in place.split("/"):
        value = value.get(key)
        if value is None:
            return None
    return float(value)
