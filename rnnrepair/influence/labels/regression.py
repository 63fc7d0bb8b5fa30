"""What a regression on their inputs says of the labels of samples."""

import numpy as np
import torch
from torch import Tensor

from rnnrepair.influence.labels.kernel import kernel_labels
from rnnrepair.influence.labels.linear import linear_labels
from rnnrepair.influence.labels.vectors import Features


def regression_labels(
    features: Features,
    label: Tensor,
    n_classes: int,
    seed: int = 0,
    group: Tensor | None = None,
) -> Tensor:
    """Return (N + M, C) float32 scores of each class, see ``kernel_labels`` and ``linear_labels``.

    Few principal components bear a smooth function; of thousands of words, most of them rare, a
    linear one is as much as can be fitted.
    """
    if isinstance(features, np.ndarray):
        return kernel_labels(torch.from_numpy(features), label, n_classes, seed, group)
    return linear_labels(features, label, n_classes, seed, group)
