"""What a study may ask of training: networks of the run, trained on changed data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import Changes


@dataclass(frozen=True)
class Retraining:
    """One training of the network, and what of its training data is changed.

    What is removed leaves its batches: the others stay where they were, so that two trainings of
    one seed differ in nothing but their changes.

    Attributes:
        changes: indices are those of the data module. What is added takes the place of what is
            removed, one for one: its ``origin`` names it. Nothing is reweighted.
        seed: of the initial weights, where training starts anew, and of order, augmentation and
            dropout.
    """

    changes: Changes = field(default_factory=Changes)
    seed: int = 0


class Train(Protocol):
    """Trains networks as the run was trained; nothing is logged and nothing is repaired."""

    def __call__(
        self,
        trainings: Sequence[Retraining],
        *,
        epochs: int | None = None,
        start: Mapping[str, Tensor] | None = None,
    ) -> list[TracedNetwork]:
        """Return a network for each training, in their order.

        Args:
            trainings: what is trained on.
            epochs: as long as the run's base training where None.
            start: weights to go on from, with a new optimizer; anew where None.

        Raises:
            ConfigurationError: other changes than those of ``Retraining``, or data of a form of
                their own.
        """
        ...
