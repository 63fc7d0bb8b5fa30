"""Figures of studies, drawn from their tables and pictures alone."""

from collections.abc import Callable

from matplotlib.figure import Figure

from rnnrepair.report.studies.automaton import automaton_figures
from rnnrepair.report.studies.backdoor import backdoor_figures
from rnnrepair.report.studies.breakdown import breakdown_figures
from rnnrepair.report.studies.clustering import clustering_figures
from rnnrepair.report.studies.faults import fault_figures
from rnnrepair.report.studies.feature_comparison import feature_figures
from rnnrepair.report.studies.influential import influence_figures
from rnnrepair.report.studies.k_sweep import k_sweep_figures
from rnnrepair.report.studies.mislabel import mislabel_figures
from rnnrepair.report.studies.patterns import pattern_figures
from rnnrepair.report.studies.validity import validity_figures
from rnnrepair.studies import StudyResult

# By the name of the study; a study of a user's has none.
_FIGURES: dict[str, Callable[[StudyResult], dict[str, Figure]]] = {
    "automaton": lambda result: automaton_figures(result.tables),
    "backdoor": lambda result: backdoor_figures(result.tables),
    "breakdown": lambda result: breakdown_figures(result.tables),
    "clustering": lambda result: clustering_figures(result.tables),
    "faults": lambda result: fault_figures(result.tables),
    "features": lambda result: feature_figures(result.tables),
    "influential": lambda result: influence_figures(result.tables, result.pictures),
    "k_sweep": lambda result: k_sweep_figures(result.tables),
    "mislabel": lambda result: mislabel_figures(result.tables),
    "patterns": lambda result: pattern_figures(result.tables, result.pictures),
    "validity": lambda result: validity_figures(result.tables),
}


def study_figures(name: str, result: StudyResult) -> dict[str, Figure]:
    """Draw the figures of a study; one that has found nothing has none."""
    return _FIGURES[name](result) if name in _FIGURES and result.tables else {}
