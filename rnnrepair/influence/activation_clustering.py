"""Activation clustering: poison is the smaller of two clusters of the states of its label."""

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.abstraction import fit_clustering
from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.final_states import final_states
from rnnrepair.influence.own import OwnScorer
from rnnrepair.influence.view import TrainingView
from rnnrepair.seeding import derive_seed
from rnnrepair.traces import Traces

# Dimensions that are clustered, as in the source.
DIMS = 10
# Iterations of k-means at most, and when it stops.
ITERATIONS, TOLERANCE = 100, 1e-4


class ActivationClustering(AnyNetwork):
    """Whether a final state lies in the smaller of two clusters of its label.

    Knows no query. It costs one pass of the network and a k-means of the last states of each label.

    Source: Chen et al., "Detecting Backdoor Attacks on Deep Neural Networks by Activation
    Clustering", 2018, with principal in the place of independent components. There a smaller
    cluster is called poison; here the samples of the relatively smallest one come first, and in it
    those that are farthest from the other's centre.
    """

    name = "activation_clustering"

    def fit(self, view: TrainingView) -> "ClusteringScorer":
        """Read the last states of all training samples."""
        return ClusteringScorer(view.traces, final_states(view), self.seed)


class ClusteringScorer(OwnScorer):
    """Two clusters of the (N, d) final states of each label."""

    def __init__(self, traces: Traces, ends: Tensor, seed: int = 0) -> None:
        """Take N training traces and the (N, d) states that they end in."""
        super().__init__(traces, seed)
        self._ends = ends
        self._seed = seed

    @override
    def own(self) -> Tensor:
        own = torch.zeros(len(self.traces))
        for c in self.traces.label.unique():
            rows = self.traces.label == c
            if len(self._ends[rows].unique(dim=0)) > 2:  # two clusters of two states tell nothing
                own[rows] = self._of_label(self._ends[rows], int(c))
        return own

    def _of_label(self, ends: Tensor, c: int) -> Tensor:
        """Return (n,): 1 - the share of a sample's cluster, plus how far inside it the sample is.

        The latter lies in (-1, 1) / n: it orders samples of a cluster and nothing else.
        """
        centred = ends - ends.mean(0)
        basis = torch.linalg.svd(centred, full_matrices=False).Vh[:DIMS]
        reduced = centred @ basis.T
        seed = derive_seed(self._seed, "activation clustering", c)
        found = fit_clustering("kmeans", reduced, 2, seed, ITERATIONS, TOLERANCE)
        cluster = found.assign(reduced).long()
        size = cluster.bincount(minlength=2)
        apart = torch.cdist(reduced.double(), found.mean)
        rows = torch.arange(len(ends))
        inside = apart[rows, 1 - cluster] - apart[rows, cluster]
        order = inside / inside.abs().max().clamp_min(1e-12) / (len(ends) + 1)
        return (1 - size[cluster] / len(ends) + order).float()
