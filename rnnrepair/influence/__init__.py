"""Influence: training samples and segments behind each failure."""

from rnnrepair.influence.activation_clustering import ActivationClustering
from rnnrepair.influence.contexts import ContextIndex, Contexts
from rnnrepair.influence.distance import (
    Distance,
    StepDistance,
    aligned_distance,
    paired_distance,
    paper_distance,
    step_distance,
)
from rnnrepair.influence.doubt import Doubting, LabelDoubt, doubt_labels
from rnnrepair.influence.evidence import Evidence, Neighbours, find_evidence, found
from rnnrepair.influence.final_loss import FinalLoss
from rnnrepair.influence.gradients import LossGradients, Parts
from rnnrepair.influence.inputs import input_distances, nearest_by, token_bags, tokens_of
from rnnrepair.influence.keywords import BackdoorKeywords
from rnnrepair.influence.method import InfluenceMethod, NearScorer, Scorer, check_method
from rnnrepair.influence.metrics import influence_metrics
from rnnrepair.influence.overlap import TransitionOverlap
from rnnrepair.influence.own import OwnScorer
from rnnrepair.influence.ranking import Ranking, TraceIndex, smallest
from rnnrepair.influence.role import Role
from rnnrepair.influence.segment_context import SegmentContext
from rnnrepair.influence.segment_cues import Cue, CueScorer, SegmentCues
from rnnrepair.influence.segments import responsible_segment, responsible_step
from rnnrepair.influence.similarity import TraceSimilarity
from rnnrepair.influence.spectral import SpectralSignatures
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.tracin import TracIn
from rnnrepair.influence.transitions import TransitionIndex, transition_keys
from rnnrepair.influence.usable import never_right, usable_parents
from rnnrepair.influence.view import TrainingView

__all__ = [
    "ActivationClustering",
    "BackdoorKeywords",
    "ContextIndex",
    "Contexts",
    "Cue",
    "CueScorer",
    "Distance",
    "Doubting",
    "Evidence",
    "FinalLoss",
    "InfluenceMethod",
    "LabelDoubt",
    "LossGradients",
    "NearScorer",
    "Neighbours",
    "OwnScorer",
    "Parts",
    "Ranking",
    "Role",
    "Scorer",
    "SegmentContext",
    "SegmentCues",
    "SpectralSignatures",
    "StepDistance",
    "TracIn",
    "TraceIndex",
    "TraceSimilarity",
    "TrainingView",
    "TransitionIndex",
    "TransitionOverlap",
    "aligned_distance",
    "check_method",
    "doubt_labels",
    "find_evidence",
    "found",
    "influence_metrics",
    "input_distances",
    "nearest_by",
    "never_right",
    "paired_distance",
    "paper_distance",
    "responsible_segment",
    "responsible_step",
    "smallest",
    "step_distance",
    "tie_order",
    "token_bags",
    "tokens_of",
    "transition_keys",
    "usable_parents",
]
