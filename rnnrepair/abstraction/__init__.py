"""State abstraction: hidden states to a few abstract states with confidence and stability."""

from rnnrepair.abstraction.clustering import Clustering, fit_clustering
from rnnrepair.abstraction.features import split_code, temporal_features
from rnnrepair.abstraction.fit import (
    Abstraction,
    AbstractionSettings,
    fit_abstraction,
    pca_sample,
    sample_steps,
)
from rnnrepair.abstraction.matching import match_states
from rnnrepair.abstraction.mixture import Mixture, check_distinct, fit_mixture
from rnnrepair.abstraction.model import AbstractModel
from rnnrepair.abstraction.reduced import ReducedStates, load_states, reduce_states, save_states
from rnnrepair.abstraction.reduction import Reduction, StreamingPCA
from rnnrepair.abstraction.selection import Candidate, Selection, choose
from rnnrepair.abstraction.stability import Stability, confidence, count_predictions

__all__ = [
    "AbstractModel",
    "Abstraction",
    "AbstractionSettings",
    "Candidate",
    "Clustering",
    "Mixture",
    "ReducedStates",
    "Reduction",
    "Selection",
    "Stability",
    "StreamingPCA",
    "check_distinct",
    "choose",
    "confidence",
    "count_predictions",
    "fit_abstraction",
    "fit_clustering",
    "fit_mixture",
    "load_states",
    "match_states",
    "pca_sample",
    "reduce_states",
    "sample_steps",
    "save_states",
    "split_code",
    "temporal_features",
]
