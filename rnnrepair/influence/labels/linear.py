"""What a linear model says of the labels of samples that it was not fitted on."""

import numpy as np
import torch
from torch import Tensor

from rnnrepair.influence.labels.parts import parts_of_others, random_parts
from rnnrepair.influence.labels.vectors import Features

# Of the squared sizes of all samples; chosen on SST and digits with planted flips, where a tenth
# and ten times as much do nearly as well.
DAMPING = 1e-3
# Steps of conjugate gradients, at most, and the residual from which on they end.
STEPS = 50
TOLERANCE = 1e-3


def linear_labels(
    features: Features,
    label: Tensor,
    n_classes: int,
    seed: int = 0,
    group: Tensor | None = None,
) -> Tensor:
    """Return (N + M, C) float32 scores of each class, about 1 for the class that a model sees.

    Ridge regression to indicators of the classes, each sample left out of the fit that judges it.

    Args:
        features: of N samples, and of M that have no label, see ``input_features``.
        label: (N,) int64.
        n_classes: C.
        seed: of the parts.
        group: (N + M,) int64, equal where samples belong together: no group is in two parts. None
            where each stands alone.
    """
    n, n_judged = len(label), features.shape[0]
    wanted = np.eye(n_classes)[label.numpy()]
    scores = np.zeros((n_judged, n_classes))
    group = torch.arange(n_judged) if group is None else group
    parts = random_parts(group[:n], "parts of the linear model", seed)
    for part, others in zip(parts, parts_of_others(parts, group, n), strict=True):
        judged = np.zeros(n_judged, dtype=bool)
        judged[torch.cat([part, others]).numpy()] = True
        here = ~judged[:n]
        if not here.any() or not judged.any():
            continue
        usual = wanted[here].mean(0)
        weight = ridge(features[:n][here], wanted[here] - usual)
        scores[judged] = features[judged] @ weight + usual
    return torch.from_numpy(scores).float()


def ridge(features: Features, wanted: np.ndarray) -> np.ndarray:
    """Return (k, C) weights of ridge regression from (n, k) features to (n, C) numbers.

    By conjugate gradients, all columns at once: features may be sparse.
    """
    damping = DAMPING * float((features * features).sum())
    weight = np.zeros((features.shape[1], wanted.shape[1]))
    residual = np.asarray(features.T @ wanted)
    direction, size = residual.copy(), (residual**2).sum(0)
    goal = TOLERANCE**2 * size
    for _ in range(STEPS):
        if bool((size <= goal).all()):
            break
        bent = features.T @ (features @ direction) + damping * direction
        # Columns that are done have nothing left to divide.
        step = size / np.maximum((direction * bent).sum(0), np.finfo(np.float64).tiny)
        weight += step * direction
        residual -= step * bent
        before, size = size, (residual**2).sum(0)
        direction = residual + size / np.maximum(before, np.finfo(np.float64).tiny) * direction
    return weight
