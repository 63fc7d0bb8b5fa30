"""Directions in the space of a network's parameters."""

from dataclasses import dataclass

from torch import Tensor

from rnnrepair.influence.gradients.tokens import QueryTokens


@dataclass(frozen=True)
class Directions:
    """M directions in the space of the trained parameters, as products with gradients read them.

    Attributes:
        flat: (M, columns) of every block, each recurrent layer's, then the head's.
        tokens: of the embedding; None without one, or where it is not trained.
    """

    flat: list[Tensor]
    tokens: QueryTokens | None

    def scaled(self, factor: Tensor) -> "Directions":
        """Return each direction times its (M,) factor."""
        tokens = None if self.tokens is None else self.tokens.scaled(factor)
        return Directions([block * factor[:, None] for block in self.flat], tokens)

    def mean(self) -> "Directions":
        """Return the mean of all as one direction."""
        tokens = None if self.tokens is None else self.tokens.mean()
        return Directions([block.mean(0, keepdim=True) for block in self.flat], tokens)
