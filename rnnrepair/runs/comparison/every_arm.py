"""Contrasts of the arms that are there, whatever the configuration names."""

from rnnrepair.record import Contrast
from rnnrepair.runs.comparison.metrics import metric_table
from rnnrepair.runs.comparison.runs import Runs

# The arm that does nothing but train on.
NONE = "none"
_METRIC = "test_accuracy"


def every_arm(runs: Runs) -> list[Contrast]:
    """Return the contrasts of a rule that looks at names alone, those named in advance left out.

    Every arm against ``none``; and the arm that the configuration asks about (``of`` in the first
    contrast named in advance whose arm is there) against every other one. By the metrics of the
    contrasts that are named in advance, by test accuracy where there are none.

    Args:
        runs: to compare.
    """
    measured, named = metric_table(runs), runs.about.contrasts
    wanted = list(dict.fromkeys(contrast.metric for contrast in named)) or [_METRIC]
    metrics = [metric for metric in wanted if metric in measured]
    asked = next((contrast.of for contrast in named if contrast.of in runs.arms), None)
    pairs = [(arm, NONE) for arm in runs.arms if arm != NONE and NONE in runs.arms]
    if asked not in (None, NONE):
        pairs += [(asked, arm) for arm in runs.arms if arm not in {asked, NONE}]
    known = {(frozenset((contrast.of, contrast.against)), contrast.metric) for contrast in named}
    return [
        Contrast(of, against, metric)
        for metric in metrics
        for of, against in pairs
        if (frozenset((of, against)), metric) not in known
    ]
