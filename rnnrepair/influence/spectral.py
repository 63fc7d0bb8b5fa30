"""Spectral signatures: poison makes a direction of its own in the states of its label."""

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.final_states import final_states
from rnnrepair.influence.own import OwnScorer
from rnnrepair.influence.view import TrainingView
from rnnrepair.traces import Traces


class SpectralSignatures(AnyNetwork):
    """How far a final state lies along the first principal direction of its label.

    Knows no query. It costs one pass of the network and a singular value decomposition of the last
    states of each label.

    Source: Tran, Li and Madry, "Spectral Signatures in Backdoor Attacks", 2018. There the largest
    1.5 eps of every label are removed; here scores are divided by their median over the label, so
    that those of several labels can be compared.
    """

    name = "spectral_signatures"

    def fit(self, view: TrainingView) -> "SpectralScorer":
        """Read the last states of all training samples."""
        return SpectralScorer(view.traces, final_states(view), self.seed)


class SpectralScorer(OwnScorer):
    """Squared projections of (N, d) final states."""

    def __init__(self, traces: Traces, ends: Tensor, seed: int = 0) -> None:
        """Take N training traces and the (N, d) states that they end in."""
        super().__init__(traces, seed)
        self._ends = ends

    @override
    def own(self) -> Tensor:
        own = torch.zeros(len(self.traces))
        for c in self.traces.label.unique():
            rows = self.traces.label == c
            centred = self._ends[rows] - self._ends[rows].mean(0)
            direction = torch.linalg.svd(centred, full_matrices=False).Vh[0]
            squared = (centred @ direction).square()
            own[rows] = squared / squared.median().clamp_min(torch.finfo(squared.dtype).tiny)
        return own
