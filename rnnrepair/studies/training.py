"""How a study that trains is given the training: studies import no models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import Changes


@dataclass(frozen=True)
class Retraining:
    """One training of the network, and what of its training data is changed.

    Attributes:
        changes: of the data, by the indices of the data module; undone when the training ends.
        seed: of the initial weights (where training starts anew) and of the order of training.
    """

    changes: Changes = field(default_factory=Changes)
    seed: int = 0


class Train(Protocol):
    """Trains as the run was trained."""

    def __call__(
        self,
        trainings: Sequence[Retraining],
        *,
        epochs: int | None = None,
        start: Mapping[str, Tensor] | None = None,
    ) -> list[TracedNetwork]:
        """Return the trained networks in the order of the trainings.

        Args:
            trainings: what is trained.
            epochs: how long; as long as the run's base where None.
            start: weights to go on from; anew where None.
        """
        ...
