"""Wrong labels by the probabilities that the network itself gives them."""

import torch
from torch import Tensor

from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.own import KnownScorer
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import logits_of


class ConfidentLearning(AnyNetwork):
    """One minus the confidence in a sample's label, set against what is usual for each class.

    The probabilities are those of the network that was trained on these labels, and not those of a
    cross-validation, which the source asks for and which would cost several trainings: flips that
    it has learnt by heart are confident. It costs a forward pass over the training samples.

    Source: Northcutt et al., "Confident Learning", 2021: the self-confidence, with thresholds of
    classes taken off, as ``cleanlab.rank.get_label_quality_scores(adjust_pred_probs=True)`` has it.
    """

    name = "confident_learning"

    def fit(self, view: TrainingView) -> KnownScorer:
        """Ask the network for its probabilities of the training samples."""
        logits = logits_of(view.network, view.fetch, view.traces.index)
        probability = logits.double().softmax(1)
        quality = adjusted_confidence(view.traces.label, probability)
        return KnownScorer(view.traces, 1 - quality, self.seed)


def adjusted_confidence(label: Tensor, probability: Tensor) -> Tensor:
    """Return (N,) probabilities of the labels, after classes have been set on one footing.

    Of each class the mean probability that its own samples give to it is taken off; the largest of
    these means is added everywhere, so that nothing is below 0, and rows are made to sum to 1. A
    class without samples has no mean, and nothing is taken off.

    Args:
        label: (N,) int64.
        probability: (N, C) float64, rows sum to 1.
    """
    own = probability.gather(1, label[:, None])[:, 0]
    n_classes = probability.shape[1]
    total = torch.zeros(n_classes, dtype=probability.dtype).index_add_(0, label, own)
    count = torch.bincount(label, minlength=n_classes)
    usual = total / count.clamp_min(1)
    adjusted = probability - usual + usual.max()
    adjusted = adjusted / adjusted.sum(1, keepdim=True)
    return adjusted.gather(1, label[:, None])[:, 0]
