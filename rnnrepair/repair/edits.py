"""An edit: a named, parameterised, repeatable change of a sequence."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Edit:
    """What was done to a parent sample; with the parent it rebuilds the child.

    Attributes:
        name: kind of edit, for the ledger.
        parameters: its parameters by name.
    """

    name: str
    parameters: dict[str, float]


class Mutation(Protocol):
    """A family of label-preserving edits."""

    def check(self, shape: torch.Size) -> None:
        """Refuse inputs of shape (T, F) that the family cannot edit.

        Raises:
            ConfigurationError: names the config key to change.
        """
        ...

    def draw(self, generator: torch.Generator) -> Edit:
        """Draw one edit."""
        ...

    def apply(self, inputs: Tensor, edit: Edit, lengths: Tensor | None = None) -> Tensor:
        """Apply one edit to a whole batch (B, T, F) of parents with (B,) true lengths."""
        ...


IDENTITY = Edit("copy", {})
