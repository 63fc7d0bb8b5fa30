"""Runs against each other: what every arm reached and what differs between arms."""

from rnnrepair.report.comparison.checks import lacking_seeds, unequal_injected, unequal_steps
from rnnrepair.report.comparison.export import read_export, write_export
from rnnrepair.report.comparison.folder import read_folder
from rnnrepair.report.comparison.interval import interval
from rnnrepair.report.comparison.metrics import class_accuracies, metric_table
from rnnrepair.report.comparison.runs import Runs
from rnnrepair.report.comparison.sign_flip import MIN_PAIRS, holm, sign_flip_p
from rnnrepair.report.comparison.tables import arm_table, contrast_table, parse_contrast

__all__ = [
    "MIN_PAIRS",
    "Runs",
    "arm_table",
    "class_accuracies",
    "contrast_table",
    "holm",
    "interval",
    "lacking_seeds",
    "metric_table",
    "parse_contrast",
    "read_export",
    "read_folder",
    "sign_flip_p",
    "unequal_injected",
    "unequal_steps",
    "write_export",
]
