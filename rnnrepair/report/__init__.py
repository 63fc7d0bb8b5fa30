"""What happened, for people: terminal table and HTML page."""

from rnnrepair.report.cards import ShownData
from rnnrepair.report.page import render, write_explanation, write_page
from rnnrepair.report.pattern_figure import write_pattern_figure
from rnnrepair.report.terminal import print_failures, print_interpolation, print_summary

__all__ = [
    "ShownData",
    "print_failures",
    "print_interpolation",
    "print_summary",
    "render",
    "write_explanation",
    "write_page",
    "write_pattern_figure",
]
