"""Where each parameter stands in one long vector of all that are trained."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.influence.gradients.parts import Parts


@dataclass(frozen=True)
class Layout:
    """How trained parameters become one vector of P numbers, and come back.

    Attributes:
        shapes: of the parameters by name (those of ``Parts.parameters``), in the vector's order.
    """

    shapes: Mapping[str, torch.Size]

    @classmethod
    def of(cls, parts: Parts) -> "Layout":
        """Return that of a network's trained parameters."""
        return cls({name: weight.shape for name, weight in parts.trained().items()})

    def __len__(self) -> int:
        return sum(shape.numel() for shape in self.shapes.values())

    def flat(self, named: Mapping[str, Tensor]) -> Tensor:
        """Return (..., P) numbers of parameters of shape (..., *shape); others are left out."""
        return torch.cat(
            [named[name].flatten(-len(shape)) for name, shape in self.shapes.items()], -1
        )

    def named(self, flat: Tensor) -> dict[str, Tensor]:
        """Return parameters of shape (..., *shape) as views of (..., P) numbers."""
        parts = flat.split([shape.numel() for shape in self.shapes.values()], -1)
        return {
            name: part.unflatten(-1, shape)
            for part, (name, shape) in zip(parts, self.shapes.items(), strict=True)
        }
