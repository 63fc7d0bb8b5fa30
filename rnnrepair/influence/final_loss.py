"""Loss ranking: the training samples that the network fits worst."""

from torch.nn.functional import cross_entropy

from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.own import KnownScorer
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import logits_of


class FinalLoss(AnyNetwork):
    """The cross entropy of a training sample at the end of training.

    Knows no query. It costs one pass of the network.

    Source: the usual first look at data, such as Arpit et al., 2017.
    """

    name = "loss"

    def fit(self, view: TrainingView) -> KnownScorer:
        """Ask the network about all training samples."""
        traces = view.traces
        logits = logits_of(view.network, view.fetch, traces.index)
        loss = cross_entropy(logits, traces.label, reduction="none")
        return KnownScorer(traces, loss, self.seed)
