"""Suspicion by any one method, where somebody knows how many labels are wrong."""

from dataclasses import replace

import torch

from rnnrepair.influence.labels import shared_values
from rnnrepair.influence.method import InfluenceMethod
from rnnrepair.influence.suspicion import Suspicion
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.view import TrainingView


def ranked_labels(
    view: TrainingView, method: InfluenceMethod, share: float, seed: int = 0
) -> Suspicion:
    """Call a share of the original training samples suspect, those that a method puts first.

    What ``suspect_labels`` is compared with: a ranking has no threshold, and an honest one takes
    its share from clean data too. The score is a sample's place among all, in (0, 1]; samples that
    the method knows nothing of stand last. The label that is suggested is the network's answer.

    Args:
        view: of the training data.
        method: asked for every sample by itself (``Scorer.own``).
        share: of the N original samples, in [0, 1].
        seed: of the order of equal ones.
    """
    n = view.n_original
    traces = view.traces.between(0, n)
    own = method.fit(view).own()[:n].double().nan_to_num(-torch.inf)
    order = tie_order(traces.index, seed)
    order = order[own[order].argsort(descending=True, stable=True)]
    place = torch.empty(n)
    place[order] = 1 - torch.arange(n) / n
    suspect = torch.zeros(n, dtype=torch.bool)
    suspect[order[: round(share * n)]] = True
    suggested = torch.where(suspect, traces.final_prediction.long(), traces.label)
    together = view.labelled_together
    shared = shared_values(view.columns, traces.index, traces.label, suspect, together)
    # Told, and nothing more: a rival's ranks are what they are.
    shared = tuple(replace(value, classes=()) for value in shared)
    judged = Suspicion(traces.index, place, suggested, suspect, shared)
    return judged.without(view.checked, traces.label)
