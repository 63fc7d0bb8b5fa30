"""Several runs: how long each trains, the jobs of a multirun, and how arms are compared."""

from rnnrepair.runs.jobs import Job, Status, finished_before, jobs_of, outcome_lines
from rnnrepair.runs.rising import still_rising
from rnnrepair.runs.schedule import Schedule
from rnnrepair.runs.sweep import METRICS, read_sweep

__all__ = [
    "METRICS",
    "Job",
    "Schedule",
    "Status",
    "finished_before",
    "jobs_of",
    "outcome_lines",
    "read_sweep",
    "still_rising",
]
