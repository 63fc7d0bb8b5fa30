"""What is logged of the samples behind failures."""

import torch

from rnnrepair.influence.evidence import Evidence, found
from rnnrepair.influence.role import Role
from rnnrepair.traces import Traces


def influence_metrics(evidence: Evidence, fit: Traces) -> dict[str, float]:
    """Return the shares of the nearest samples that carry the true and the predicted label.

    Also the mean distance to the nearest sample, over failures that have one: by context, some have
    none. NaN where no failure has one.
    """
    nearest = found(evidence.nearest, Role.NEAREST)
    label_of = torch.full((int(fit.index.max()) + 1,), -1)
    label_of[fit.index] = fit.label
    known = nearest.index >= 0
    label = torch.where(known, label_of[nearest.index], -1)
    failures = evidence.failures
    true = (label == failures.label[:, None]).double().sum() / known.sum()
    predicted = (label == failures.final_prediction[:, None]).double().sum() / known.sum()
    metrics = {
        "influence/true_label_share": float(true),
        "influence/predicted_label_share": float(predicted),
        "influence/nearest_distance": float(nearest.distance[known[:, 0], 0].mean()),
    }
    if evidence.contrast is not None:
        metrics["influence/contrast"] = float(evidence.contrast.nanmean())
    return metrics
