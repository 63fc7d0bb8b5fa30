"""Influence without gradients: training samples and segments behind each failure."""

from rnnrepair.influence.contexts import ContextIndex, Contexts
from rnnrepair.influence.distance import (
    Distance,
    StepDistance,
    masked_distance,
    paper_distance,
    step_distance,
)
from rnnrepair.influence.method import (
    Influence,
    InfluenceMethod,
    SegmentInfluence,
    TraceSimilarity,
    TransitionOverlap,
)
from rnnrepair.influence.ranking import Ranking, TraceIndex, rank_by_label
from rnnrepair.influence.segments import responsible_segment, responsible_step
from rnnrepair.influence.transitions import TransitionIndex, transition_keys

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
    "masked_distance",
    "paper_distance",
    "rank_by_label",
    "responsible_segment",
    "responsible_step",
    "step_distance",
    "transition_keys",
]
