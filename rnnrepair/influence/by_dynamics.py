"""Methods that read what training itself has shown of each sample; they cost no pass at all."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.dynamics import TrainingDynamics
from rnnrepair.influence.need import Need
from rnnrepair.influence.own import KnownScorer
from rnnrepair.influence.view import TrainingView


class DynamicsMethod(AnyNetwork, ABC):
    """Base of these methods; a subclass says what of the dynamics is suspicious.

    Nothing is known of injected samples, of samples that no epoch has shown, and of samples whose
    label was changed since they were last shown.
    """

    name: str
    needs = frozenset({Need.DYNAMICS})

    def fit(self, view: TrainingView) -> KnownScorer:
        """Look up the training samples.

        Raises:
            ConfigurationError: the view holds no dynamics, or none of its samples.
        """
        if view.dynamics is None:
            raise ConfigurationError(
                f"{self.name} reads training dynamics, and none were recorded: list "
                "TrainingDynamicsRecorder among the callbacks of the training."
            )
        index, label = view.traces.index, view.traces.label
        known = view.dynamics.knows(index, label)
        if not bool(known.any()):
            raise ConfigurationError(
                f"{self.name} reads training dynamics, and no epoch has shown a training sample: "
                "analyse the network after one (Calendar(start=1))."
            )
        values = torch.full((len(view),), torch.nan, dtype=torch.float64)
        values[known] = self.suspicion(view.dynamics)[index[known]].double()
        return KnownScorer(view.traces, values, self.seed)

    @abstractmethod
    def suspicion(self, dynamics: TrainingDynamics) -> Tensor:
        """Return (N,) numbers, the larger the more suspicious, of samples that were shown."""


class AverageMargin(DynamicsMethod):
    """How far the logit of the label stayed below the largest other, mean over epochs.

    The network learns first what many samples agree on: a wrong label has a negative margin until
    it is learnt by heart. It costs nothing beside the training.

    Source: Pleiss et al., "Identifying Mislabeled Data using the Area Under the Margin Ranking",
    2020 (AUM).
    """

    name = "average_margin"

    @override
    def suspicion(self, dynamics: TrainingDynamics) -> Tensor:
        return -dynamics.margin


class TrainingLoss(DynamicsMethod):
    """The cross entropy of a sample in training, mean over epochs.

    Correct labels are learnt first, so wrong ones keep a large loss for long. It costs nothing
    beside the training.

    Source: Jiang et al., "MentorNet", 2018, and Han et al., "Co-teaching", 2018, which take samples
    of small loss for clean.
    """

    name = "training_loss"

    @override
    def suspicion(self, dynamics: TrainingDynamics) -> Tensor:
        return dynamics.loss


class Forgetting(DynamicsMethod):
    """How often a sample was right in one epoch and wrong in the next.

    One that was never right counts as forgotten in every epoch, as in the source. It costs nothing
    beside the training.

    Source: Toneva et al., "An Empirical Study of Example Forgetting during Deep Neural Network
    Learning", 2019.
    """

    name = "forgetting"

    @override
    def suspicion(self, dynamics: TrainingDynamics) -> Tensor:
        return torch.where(dynamics.first_right < 0, dynamics.epochs, dynamics.forgotten)


class FirstRight(DynamicsMethod):
    """The first epoch in which a sample was right; one that never was comes last.

    What is learnt late is rare or wrong. It costs nothing beside the training.

    Source: Arpit et al., "A Closer Look at Memorization in Deep Networks", 2017: networks learn
    first what samples have in common, and single samples by heart afterwards.
    """

    name = "first_right"

    @override
    def suspicion(self, dynamics: TrainingDynamics) -> Tensor:
        first = dynamics.first_right
        return torch.where(first < 0, dynamics.n_epochs, first)
