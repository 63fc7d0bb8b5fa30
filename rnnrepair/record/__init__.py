"""The record of a run: what stays of it on disk, and what is told of it everywhere."""

from rnnrepair.record.answers import SplitAnswers
from rnnrepair.record.failure import Failure, Injected, Neighbour, Span
from rnnrepair.record.files import smallest
from rnnrepair.record.found_pattern import FoundPattern, PatternErrors
from rnnrepair.record.gather import gather_failures, shown_roles
from rnnrepair.record.interpolation import CurvePoint, Interpolation, write_curve
from rnnrepair.record.parts import (
    AnalysedEpoch,
    Cleaned,
    Contrast,
    Effort,
    Repair,
    Seconds,
    TargetLook,
)
from rnnrepair.record.record import RunRecord
from rnnrepair.record.story import story
from rnnrepair.record.summary import numbers_of, summary_of, write_summary
from rnnrepair.record.suspects import (
    SUSPECTS,
    Suspect,
    gather_suspects,
    suspect_columns,
    with_evidence,
    write_suspects,
)

__all__ = [
    "SUSPECTS",
    "AnalysedEpoch",
    "Cleaned",
    "Contrast",
    "CurvePoint",
    "Effort",
    "Failure",
    "FoundPattern",
    "Injected",
    "Interpolation",
    "Neighbour",
    "PatternErrors",
    "Repair",
    "RunRecord",
    "Seconds",
    "Span",
    "SplitAnswers",
    "Suspect",
    "TargetLook",
    "gather_failures",
    "gather_suspects",
    "numbers_of",
    "shown_roles",
    "smallest",
    "story",
    "summary_of",
    "suspect_columns",
    "with_evidence",
    "write_curve",
    "write_summary",
    "write_suspects",
]
