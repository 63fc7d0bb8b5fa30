"""What happened, for people: terminal table, summary and HTML report."""

from rnnrepair.report.cards import FailureCard
from rnnrepair.report.html import write_report
from rnnrepair.report.summary import print_summary, write_summary

__all__ = ["FailureCard", "print_summary", "write_report", "write_summary"]
