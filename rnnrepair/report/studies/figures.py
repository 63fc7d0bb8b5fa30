"""Figures of studies, drawn from their tables alone."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from rnnrepair.report.studies.automaton import automaton_figures
from rnnrepair.report.studies.clustering import clustering_figures
from rnnrepair.report.studies.faults import fault_figures
from rnnrepair.report.studies.feature_comparison import feature_figures
from rnnrepair.report.studies.image_grid import influence_figures
from rnnrepair.report.studies.k_sweep import k_sweep_figures

_FIGURES: dict[str, Callable[[Mapping[str, pd.DataFrame]], dict[str, Figure]]] = {
    "automaton_states": automaton_figures,
    "clustering_time": clustering_figures,
    "faults": fault_figures,
    "features": feature_figures,
    "k_sweep": k_sweep_figures,
}


def study_figures(
    tables: Mapping[str, pd.DataFrame], pictures: Mapping[str, Tensor] | None = None
) -> dict[str, Figure]:
    """Draw every figure that the tables, known by their names, allow."""
    figures: dict[str, Figure] = {}
    for name, draw in _FIGURES.items():
        if name in tables:
            figures |= draw(tables)
    if pictures and "influential" in tables:
        figures |= influence_figures(tables, pictures)
    return figures
