"""Suspicion as an influence method, beside all the others."""

import torch

from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.own import KnownScorer
from rnnrepair.influence.suspicion import suspect_labels
from rnnrepair.influence.view import TrainingView


class SuspectLabels(AnyNetwork):
    """How likely the label of a sample is wrong, by all the evidence there is.

    See ``suspect_labels``; nothing is known of injected samples. It reads training dynamics where
    they were recorded, and costs a search for neighbours among 5,000 samples.

    Source: ours (docs/method.md 5.5).
    """

    name = "suspicion"

    def fit(self, view: TrainingView) -> KnownScorer:
        """Judge the labels of the training samples."""
        own = torch.full((len(view),), torch.nan)
        own[: view.n_original] = suspect_labels(view, self.seed).score
        return KnownScorer(view.traces, own, self.seed)
