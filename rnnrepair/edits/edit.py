"""An edit: a named, parameterised, repeatable change of a sequence."""

from collections.abc import Sequence
from dataclasses import dataclass

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


IDENTITY = Edit("copy", {})


@dataclass(frozen=True)
class EditBatch:
    """An edit of one kind for each of n sequences.

    Attributes:
        name: kind of the edits.
        parameters: (n,) float64 values of each parameter; double precision, so that an edit that
            was written down and read again is the same edit.
    """

    name: str
    parameters: dict[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.parameters.values())))

    @classmethod
    def of(cls, edits: Sequence[Edit]) -> "EditBatch":
        """Put edits of one kind, at least one, into a batch."""
        (name,) = {edit.name for edit in edits}
        parameters = {
            key: torch.tensor([edit.parameters[key] for edit in edits], dtype=torch.float64)
            for key in edits[0].parameters
        }
        return cls(name, parameters)

    def select(self, rows: Tensor) -> "EditBatch":
        """Return the edits in these rows."""
        return EditBatch(self.name, {key: value[rows] for key, value in self.parameters.items()})

    def to_list(self) -> list[Edit]:
        """Return every edit by itself."""
        columns = [value.tolist() for value in self.parameters.values()]
        return [
            Edit(self.name, dict(zip(self.parameters, row, strict=True)))
            for row in zip(*columns, strict=True)
        ]
