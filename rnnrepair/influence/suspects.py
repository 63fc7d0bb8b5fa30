"""Suspicion as an influence method, beside all the others."""

import torch

from rnnrepair.influence.need import Need
from rnnrepair.influence.own import KnownScorer
from rnnrepair.influence.suspicion import suspect_labels
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import EVERY_KIND, SequenceBatch


class SuspectLabels:
    """How likely the label of a sample is wrong, by all the evidence there is.

    See ``suspect_labels``; nothing is known of injected samples. It reads training dynamics where
    they were recorded, and costs a search for neighbours among 5,000 samples.

    Source: ours (docs/method.md 5.5).
    """

    name = "suspicion"
    fits = EVERY_KIND
    needs: frozenset[Need] = frozenset()

    def __init__(self, seed: int = 0) -> None:
        """Choose the seed of the samples that vote, and of the order of ties."""
        self.seed = seed

    def check(self, network: TracedNetwork, batch: SequenceBatch) -> None:
        """Accept every network."""

    def fit(self, view: TrainingView) -> KnownScorer:
        """Judge the labels of the training samples."""
        own = torch.full((len(view),), torch.nan)
        own[: view.n_original] = suspect_labels(view, self.seed).score
        return KnownScorer(view.traces, own, self.seed)
