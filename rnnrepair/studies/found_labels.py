"""How many wrong labels, or poisoned samples, stand among the most suspicious training samples."""

from sklearn.metrics import roc_auc_score
from torch import Tensor

# Shares of the training samples that are looked at.
LOOKED_AT = (0.05, 0.1, 0.2, 0.3)


def found_labels(
    scores: Tensor, looked_for: Tensor, wrong: Tensor, order: Tensor
) -> dict[str, float]:
    """Return how well scores tell some wrong labels from the right ones.

    Keys: n, of those that are looked for; auc, the area under the ROC curve against right labels;
    found_at_SHARE and found_at_rate, which part of them is among the first samples: a share of all,
    or as many as there are wrong labels. Wrong labels that are not looked for take places among the
    first, as they would for a person who looks; nothing is wrong about naming them.

    Args:
        scores: (N,), the larger the more suspicious; of NaN nothing is known, see
            ``most_suspicious_first``.
        looked_for: (N,) bool.
        wrong: (N,) bool, all wrong labels.
        order: (N,) rows, in the order of ties.
    """
    n_found = int(looked_for.sum())
    scores = _all_known(scores)
    told: dict[str, float] = {"n": n_found, "auc": float("nan")}
    judged = looked_for | ~wrong
    if 0 < n_found < int(judged.sum()):
        told["auc"] = float(roc_auc_score(looked_for[judged].numpy(), scores[judged].numpy()))
    ranked = most_suspicious_first(scores, order)
    first = {f"found_at_{share:g}": round(share * len(scores)) for share in LOOKED_AT}
    first["found_at_rate"] = int(wrong.sum())
    for name, n_first in first.items():
        told[name] = float(looked_for[ranked[:n_first]].sum()) / max(n_found, 1)
    return told


def most_suspicious_first(scores: Tensor, order: Tensor) -> Tensor:
    """Return the (N,) rows by falling score, equal ones in a given order; NaN is in the middle."""
    scores = _all_known(scores)
    return order[scores[order].argsort(descending=True, stable=True)]


def _all_known(scores: Tensor) -> Tensor:
    """Return (N,) float64 with the median in place of NaN."""
    known = ~scores.isnan()
    middle = float(scores[known].double().median()) if bool(known.any()) else 0.0
    return scores.double().nan_to_num(middle)
