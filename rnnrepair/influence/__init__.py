"""Influence: training samples and segments behind each failure."""

from rnnrepair.influence.activation_clustering import ActivationClustering
from rnnrepair.influence.by_dynamics import AverageMargin, FirstRight, Forgetting, TrainingLoss
from rnnrepair.influence.confident_learning import ConfidentLearning
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
from rnnrepair.influence.dynamics import EpochDynamics, TrainingDynamics
from rnnrepair.influence.error_states import ErrorStates
from rnnrepair.influence.evidence import Evidence, Neighbours, find_evidence, found
from rnnrepair.influence.final_loss import FinalLoss
from rnnrepair.influence.gradients import Curvature, Layout, LossGradients, Parts
from rnnrepair.influence.input_similarity import InputSimilarity
from rnnrepair.influence.inputs import input_distances, nearest_by, token_bags, tokens_of
from rnnrepair.influence.keywords import BackdoorKeywords
from rnnrepair.influence.koh_liang import CurvatureKind, KohLiang
from rnnrepair.influence.labels import BagOfWords, SharedValue, shared_values
from rnnrepair.influence.method import InfluenceMethod, NearScorer, Scorer, check_method
from rnnrepair.influence.metrics import influence_metrics
from rnnrepair.influence.need import Need
from rnnrepair.influence.overlap import TransitionOverlap
from rnnrepair.influence.own import KnownScorer, OwnScorer, standing
from rnnrepair.influence.random_influence import RandomInfluence
from rnnrepair.influence.ranked_labels import ranked_labels
from rnnrepair.influence.ranking import Ranking, TraceIndex, smallest
from rnnrepair.influence.role import Role
from rnnrepair.influence.segment_context import SegmentContext
from rnnrepair.influence.segment_cues import Cue, CueScorer, SegmentCues
from rnnrepair.influence.segment_similarity import SegmentSimilarity
from rnnrepair.influence.segments import responsible_segment, responsible_step
from rnnrepair.influence.sgd_influence import SGDInfluence
from rnnrepair.influence.similarity import TraceSimilarity
from rnnrepair.influence.spectral import SpectralSignatures
from rnnrepair.influence.state_similarity import StateSimilarity
from rnnrepair.influence.step_tokens import token_at, tokens_in
from rnnrepair.influence.suspects import SuspectLabels
from rnnrepair.influence.suspicion import Suspicion, look_alikes, suspect_labels
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.tracin import TracIn
from rnnrepair.influence.trajectory import Step, Trajectory
from rnnrepair.influence.transitions import TransitionIndex, transition_keys
from rnnrepair.influence.usable import never_right, usable_parents
from rnnrepair.influence.view import TrainingView, held_out_of
from rnnrepair.influence.word_effects import WordEffects

__all__ = [
    "ActivationClustering",
    "AverageMargin",
    "BackdoorKeywords",
    "BagOfWords",
    "ConfidentLearning",
    "ContextIndex",
    "Contexts",
    "Cue",
    "CueScorer",
    "Curvature",
    "CurvatureKind",
    "Distance",
    "Doubting",
    "EpochDynamics",
    "ErrorStates",
    "Evidence",
    "FinalLoss",
    "FirstRight",
    "Forgetting",
    "InfluenceMethod",
    "InputSimilarity",
    "KnownScorer",
    "KohLiang",
    "LabelDoubt",
    "Layout",
    "LossGradients",
    "NearScorer",
    "Need",
    "Neighbours",
    "OwnScorer",
    "Parts",
    "RandomInfluence",
    "Ranking",
    "Role",
    "SGDInfluence",
    "Scorer",
    "SegmentContext",
    "SegmentCues",
    "SegmentSimilarity",
    "SharedValue",
    "SpectralSignatures",
    "StateSimilarity",
    "Step",
    "StepDistance",
    "SuspectLabels",
    "Suspicion",
    "TracIn",
    "TraceIndex",
    "TraceSimilarity",
    "TrainingDynamics",
    "TrainingLoss",
    "TrainingView",
    "Trajectory",
    "TransitionIndex",
    "TransitionOverlap",
    "WordEffects",
    "aligned_distance",
    "check_method",
    "doubt_labels",
    "find_evidence",
    "found",
    "held_out_of",
    "influence_metrics",
    "input_distances",
    "look_alikes",
    "nearest_by",
    "never_right",
    "paired_distance",
    "paper_distance",
    "ranked_labels",
    "responsible_segment",
    "responsible_step",
    "shared_values",
    "smallest",
    "standing",
    "step_distance",
    "suspect_labels",
    "tie_order",
    "token_at",
    "token_bags",
    "tokens_in",
    "tokens_of",
    "transition_keys",
    "usable_parents",
]
