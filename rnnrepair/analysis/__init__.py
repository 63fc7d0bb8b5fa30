"""Studies: questions that are asked of a finished run."""

from rnnrepair.analysis.automaton import Automaton, AutomatonStudy
from rnnrepair.analysis.clustering_study import ClusteringComparison
from rnnrepair.analysis.faults import FaultMetrics
from rnnrepair.analysis.feature_comparison import FeatureComparison
from rnnrepair.analysis.feature_sets import FEATURE_SETS, Threshold, feature_table
from rnnrepair.analysis.finished_run import FinishedRun, silent
from rnnrepair.analysis.influential import InfluentialImages
from rnnrepair.analysis.k_sweep import KSweep
from rnnrepair.analysis.simnn import SimNN, fit_simnn
from rnnrepair.analysis.study import Study, StudyResult

__all__ = [
    "FEATURE_SETS",
    "Automaton",
    "AutomatonStudy",
    "ClusteringComparison",
    "FaultMetrics",
    "FeatureComparison",
    "FinishedRun",
    "InfluentialImages",
    "KSweep",
    "SimNN",
    "Study",
    "StudyResult",
    "Threshold",
    "feature_table",
    "fit_simnn",
    "silent",
]
