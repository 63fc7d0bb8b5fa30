"""State abstraction: hidden states to a few abstract states with confidence and stability."""

from rnnrepair.abstraction.fit import (
    Abstraction,
    AbstractionSettings,
    fit_abstraction,
    pca_sample,
    sample_steps,
)
from rnnrepair.abstraction.matching import match_states
from rnnrepair.abstraction.mixture import Mixture, fit_mixture
from rnnrepair.abstraction.model import AbstractModel
from rnnrepair.abstraction.reduced import ReducedStates, reduce_states
from rnnrepair.abstraction.reduction import Reduction, StreamingPCA
from rnnrepair.abstraction.selection import Candidate, Selection, choose
from rnnrepair.abstraction.stability import Stability, confidence, count_predictions

__all__ = [
    "AbstractModel",
    "Abstraction",
    "AbstractionSettings",
    "Candidate",
    "Mixture",
    "ReducedStates",
    "Reduction",
    "Selection",
    "Stability",
    "StreamingPCA",
    "choose",
    "confidence",
    "count_predictions",
    "fit_abstraction",
    "fit_mixture",
    "match_states",
    "pca_sample",
    "reduce_states",
    "sample_steps",
]
