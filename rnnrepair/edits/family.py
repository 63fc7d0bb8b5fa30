"""What every family of edits can do."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from rnnrepair.edits.edit import EditBatch
from rnnrepair.sequences import DataSpec, Kind


class EditFamily(Protocol):
    """A family of label-preserving edits.

    Attributes:
        name: for messages.
        fits: kinds of data that it keeps the labels of.
    """

    name: str
    fits: frozenset[Kind]

    def draw(self, n: int, generator: torch.Generator) -> EditBatch:
        """Draw n edits, uniform within the limits."""
        ...

    def apply(self, inputs: Tensor, edits: EditBatch, lengths: Tensor | None = None) -> Tensor:
        """Apply edit i to sequence i of (B, T, F) or (B, T) inputs with (B,) true lengths.

        Padding stays as it is, and what comes out for a sequence does not depend on the others,
        nor on how far the batch is padded.
        """
        ...


@runtime_checkable
class Fitted(Protocol):
    """A family whose edits are of a size that the data tell."""

    def fitted(self, spec: DataSpec) -> EditFamily:
        """Return the family for these data."""
        ...


def fitted(family: EditFamily, spec: DataSpec) -> EditFamily:
    """Return a family of edits for these data: itself, where they tell it nothing.

    Args:
        family: as its user made it.
        spec: of the data whose sequences are edited.
    """
    return family.fitted(spec) if isinstance(family, Fitted) else family


def uniform(low: float, high: float, n: int, generator: torch.Generator) -> Tensor:
    """Draw (n,) float64 numbers between two limits."""
    return low + (high - low) * torch.rand(n, dtype=torch.float64, generator=generator)


def seeds(n: int, generator: torch.Generator) -> Tensor:
    """Draw (n,) seeds for what an edit draws itself, as the float64 that parameters are."""
    return torch.randint(2**31, (n,), generator=generator).double()
