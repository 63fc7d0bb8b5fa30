"""What happened, for people: terminal table, summary and HTML report."""

from rnnrepair.report.cards import FailureCard
from rnnrepair.report.html import write_report
from rnnrepair.report.names import Names
from rnnrepair.report.summary import write_summary
from rnnrepair.report.terminal import print_failures, print_summary

__all__ = [
    "FailureCard",
    "Names",
    "print_failures",
    "print_summary",
    "write_report",
    "write_summary",
]
