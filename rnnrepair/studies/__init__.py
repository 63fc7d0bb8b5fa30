"""Studies: questions that are asked of a finished run."""

from rnnrepair.studies.automaton import AutomatonStudy
from rnnrepair.studies.backdoor import Backdoor
from rnnrepair.studies.breakdown import Breakdown
from rnnrepair.studies.clustering import ClusteringComparison
from rnnrepair.studies.faults import FaultMetrics
from rnnrepair.studies.feature_sets import FEATURE_SETS, Threshold, feature_table
from rnnrepair.studies.features import FeatureComparison
from rnnrepair.studies.finished_run import LAST, FinishedRun
from rnnrepair.studies.influential import InfluentialSamples
from rnnrepair.studies.k_sweep import KSweep
from rnnrepair.studies.mislabel import Mislabel
from rnnrepair.studies.patterns import Patterns
from rnnrepair.studies.plain import plain
from rnnrepair.studies.simnn import SimNN, fit_simnn
from rnnrepair.studies.study import Study, StudyResult
from rnnrepair.studies.training import Retraining, Train
from rnnrepair.studies.validity import Validity

__all__ = [
    "FEATURE_SETS",
    "LAST",
    "AutomatonStudy",
    "Backdoor",
    "Breakdown",
    "ClusteringComparison",
    "FaultMetrics",
    "FeatureComparison",
    "FinishedRun",
    "InfluentialSamples",
    "KSweep",
    "Mislabel",
    "Patterns",
    "Retraining",
    "SimNN",
    "Study",
    "StudyResult",
    "Threshold",
    "Train",
    "Validity",
    "feature_table",
    "fit_simnn",
    "plain",
]
