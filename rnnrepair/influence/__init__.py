"""Influence without gradients: training samples and segments behind each failure."""

from rnnrepair.influence.contexts import ContextIndex, Contexts
from rnnrepair.influence.distance import (
    Distance,
    StepDistance,
    aligned_distance,
    paired_distance,
    paper_distance,
    step_distance,
)
from rnnrepair.influence.method import (
    InfluenceMethod,
    SegmentInfluence,
    TraceSimilarity,
    TransitionOverlap,
)
from rnnrepair.influence.ranking import Ranking, TraceIndex, rank_by_label, smallest
from rnnrepair.influence.result import Influence
from rnnrepair.influence.segments import responsible_segment, responsible_step
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.transitions import TransitionIndex, transition_keys
from rnnrepair.influence.usable import never_right, usable_sources

__all__ = [
    "ContextIndex",
    "Contexts",
    "Distance",
    "Influence",
    "InfluenceMethod",
    "Ranking",
    "SegmentInfluence",
    "StepDistance",
    "TraceIndex",
    "TraceSimilarity",
    "TransitionIndex",
    "TransitionOverlap",
    "aligned_distance",
    "never_right",
    "paired_distance",
    "paper_distance",
    "rank_by_label",
    "responsible_segment",
    "responsible_step",
    "smallest",
    "step_distance",
    "tie_order",
    "transition_keys",
    "usable_sources",
]
