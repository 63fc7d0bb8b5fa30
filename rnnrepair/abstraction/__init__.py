"""State abstraction: hidden states to a few abstract states with confidence and stability."""

from rnnrepair.abstraction.automaton import Automaton
from rnnrepair.abstraction.clustering import Clustering, fit_clustering
from rnnrepair.abstraction.collect import Collected, collect
from rnnrepair.abstraction.collect_splits import collect_splits
from rnnrepair.abstraction.features import split_code, temporal_features
from rnnrepair.abstraction.fit import (
    Abstraction,
    AbstractionSettings,
    abstract,
    pca_sample,
    sample_steps,
)
from rnnrepair.abstraction.identity import reduction_fingerprint
from rnnrepair.abstraction.last_states import LastStates
from rnnrepair.abstraction.matching import match_states
from rnnrepair.abstraction.metrics import abstraction_metrics
from rnnrepair.abstraction.mixture import Mixture, check_distinct, fit_mixture
from rnnrepair.abstraction.model import AbstractModel
from rnnrepair.abstraction.reduced import ReducedStates
from rnnrepair.abstraction.reduction import Reduction, StreamingPCA
from rnnrepair.abstraction.selection import Candidate, Selection, choose
from rnnrepair.abstraction.stability import Stability, confidence, count_predictions

__all__ = [
    "AbstractModel",
    "Abstraction",
    "AbstractionSettings",
    "Automaton",
    "Candidate",
    "Clustering",
    "Collected",
    "LastStates",
    "Mixture",
    "ReducedStates",
    "Reduction",
    "Selection",
    "Stability",
    "StreamingPCA",
    "abstract",
    "abstraction_metrics",
    "check_distinct",
    "choose",
    "collect",
    "collect_splits",
    "confidence",
    "count_predictions",
    "fit_clustering",
    "fit_mixture",
    "match_states",
    "pca_sample",
    "reduction_fingerprint",
    "sample_steps",
    "split_code",
    "temporal_features",
]
