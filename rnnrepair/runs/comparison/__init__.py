"""Runs against each other: what every arm reached and what differs between arms."""

from rnnrepair.runs.comparison.checks import lacking_seeds, unequal_injected, unequal_steps
from rnnrepair.runs.comparison.export import export_files, read_export, write_export
from rnnrepair.runs.comparison.folder import read_folder
from rnnrepair.runs.comparison.metrics import class_accuracies, is_count, metric_table
from rnnrepair.runs.comparison.runs import Runs
from rnnrepair.runs.comparison.tables import Why, arm_table, contrast_table, parse_contrast

__all__ = [
    "Runs",
    "Why",
    "arm_table",
    "class_accuracies",
    "contrast_table",
    "export_files",
    "is_count",
    "lacking_seeds",
    "metric_table",
    "parse_contrast",
    "read_export",
    "read_folder",
    "unequal_injected",
    "unequal_steps",
    "write_export",
]
