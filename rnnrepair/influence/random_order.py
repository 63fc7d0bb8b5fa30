"""Influence by chance: what every other method must beat."""

import numpy as np
import torch

from rnnrepair.influence.need import Need
from rnnrepair.influence.own import KnownScorer
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import TracedNetwork
from rnnrepair.seeding import derive_seed
from rnnrepair.sequences import EVERY_KIND, SequenceBatch


class Random:
    """A number drawn for each training sample: the control, at no cost.

    It depends on the number of the sample and the seed alone, so that injected samples change that
    of no other.
    """

    name = "random"
    fits = EVERY_KIND
    needs: frozenset[Need] = frozenset()

    def __init__(self, seed: int = 0) -> None:
        """Choose the seed."""
        self.seed = seed

    def check(self, network: TracedNetwork, batch: SequenceBatch) -> None:
        """Accept every network."""

    def fit(self, view: TrainingView) -> KnownScorer:
        """Draw a number for each training sample."""
        index = view.traces.index
        rng = np.random.default_rng(derive_seed(self.seed, "random influence"))
        drawn = torch.from_numpy(rng.random(int(index.max()) + 1 if len(index) else 0))
        return KnownScorer(view.traces, drawn[index], self.seed)
