"""Loss ranking: the training samples that the network fits worst."""

import torch
from torch.nn.functional import cross_entropy

from rnnrepair.influence.need import Need
from rnnrepair.influence.own import KnownScorer
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import EVERY_KIND, SequenceBatch

# Training sequences that the network reads at a time.
AT_A_TIME = 500


class FinalLoss:
    """The cross entropy of a training sample at the end of training.

    Knows no query. It costs one pass of the network.

    Source: the usual first look at data, such as Arpit et al., 2017.
    """

    name = "loss"
    fits = EVERY_KIND
    needs: frozenset[Need] = frozenset()

    def __init__(self, seed: int = 0) -> None:
        """Choose the seed of the order of ties."""
        self.seed = seed

    def check(self, network: TracedNetwork, batch: SequenceBatch) -> None:
        """Accept every network."""

    def fit(self, view: TrainingView) -> KnownScorer:
        """Ask the network about all training samples."""
        parts = view.traces.index.split(AT_A_TIME)
        said = view.network.predict(view.fetch(part) for part in parts)
        if said.logits is None:
            raise AssertionError("a network's own answers come with logits")
        loss = cross_entropy(said.logits, said.label, reduction="none")
        # Answers come in ascending order of index.
        place = torch.searchsorted(said.index, view.traces.index)
        return KnownScorer(view.traces, loss[place], self.seed)
