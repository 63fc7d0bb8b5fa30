"""What the labels of the nearest other training samples say of a sample's label."""

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from rnnrepair.influence.labels.vectors import Features
from rnnrepair.influence.ranking import smallest_of_rows
from rnnrepair.influence.ties import tie_order
from rnnrepair.seeding import torch_generator

# Neighbours that vote, and samples among which they are looked for: drawn at random where there are
# more, which bounds the time.
NEAREST = 20
LOOKED_AMONG = 5000
# Interquartile ranges above the upper quartile from which on a distance is far (Tukey).
FENCE = 1.5
# Samples whose neighbours are looked for at a time.
AT_A_TIME = 1000


def neighbour_labels(
    features: Features,
    label: Tensor,
    n_classes: int,
    seed: int = 0,
    group: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return what the 20 nearest others of each sample are labelled, and how far they are.

    Others are samples of other groups: windows of one recording have one label, right or wrong.

    Args:
        features: of N samples, and of M that have no vote, see ``input_features``.
        label: (N,) int64.
        n_classes: C.
        seed: of the samples that neighbours are looked for among, and of the order of ties.
        group: (N + M,) int64, equal where samples belong together; None where each stands alone.

    Returns:
        (N + M, C) float32 shares of their labels, and (N + M,) float32 means of their distances, 0
        where there are no others.
    """
    n, n_judged = len(label), features.shape[0]
    drawn = torch.randperm(n, generator=torch_generator(seed, "samples that vote"))
    order = tie_order(torch.arange(n), seed)
    asked = torch.zeros(n, dtype=torch.bool)
    asked[drawn[:LOOKED_AMONG]] = True
    order = order[asked[order]]
    group = torch.arange(n_judged) if group is None else group
    voters, shares, far = features[order.numpy()], list[Tensor](), list[Tensor]()
    for rows in torch.arange(n_judged).split(AT_A_TIME):
        apart = _distances(features[rows.numpy()], voters)
        apart.masked_fill_(group[rows][:, None] == group[order], torch.inf)
        nearest = smallest_of_rows(apart, NEAREST)
        other = (nearest.row >= 0) & nearest.distance.isfinite()
        near = order[nearest.row]
        votes = torch.zeros(len(rows), n_classes)
        votes.scatter_add_(1, label[near], other.float())
        n_other = other.sum(1).clamp_min(1)
        shares.append(votes / n_other[:, None])
        far.append(nearest.distance.masked_fill(~other, 0).sum(1) / n_other)
    return torch.cat(shares), torch.cat(far)


def is_far(distance: Tensor, usual: Tensor) -> Tensor:
    """Return (n,) bool: distances that lie outside of the usual ones, by Tukey's upper fence.

    What is far from everything has no neighbours that could tell its label.

    Args:
        distance: (n,) mean distances to the nearest samples.
        usual: (m,) the same of training samples.
    """
    low, high = (float(np.quantile(usual.numpy(), share)) for share in (0.25, 0.75))
    # Where most samples have copies, distances do not spread, and all others would be far.
    return (
        distance > high + FENCE * (high - low)
        if high > low
        else torch.zeros_like(distance, dtype=torch.bool)
    )


def _distances(here: Features, there: Features) -> Tensor:
    """Return (n, m) distances of n samples to m; of rows of length one, one minus the cosine."""
    if isinstance(here, np.ndarray):
        return torch.cdist(torch.from_numpy(here), torch.from_numpy(there))
    cosine: csr_array = here @ there.T
    return 1 - torch.from_numpy(cosine.toarray())
