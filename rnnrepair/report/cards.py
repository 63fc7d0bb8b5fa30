"""A failure with the sequences that belong to it, ready to be shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rnnrepair.record import Failure
from rnnrepair.sequences import DataSpec, Kind, SequenceBatch


class ShownData(Protocol):
    """Where the sequences of a run come from: its data module, injected samples included."""

    spec: DataSpec

    def fetch(self, index: Tensor) -> SequenceBatch:
        """Return the sequences with these indices, in this order."""
        ...


@dataclass(frozen=True)
class FailureCard:
    """A failure (T steps, F features) with its n influential and m injected samples.

    Attributes:
        failure: what the record tells.
        kind: of the data.
        inputs: (T, F) features or (T,) tokens.
        nearest: n sequences of ``failure.neighbours``, (T_i, F) or (T_i,).
        injected: m sequences of ``failure.injected``, (T_i, F) or (T_i,).
    """

    failure: Failure
    kind: Kind
    inputs: Tensor
    nearest: list[Tensor]
    injected: list[Tensor]

    @property
    def is_text(self) -> bool:
        """Whether inputs are tokens."""
        return self.kind == Kind.TOKENS

    @property
    def is_image(self) -> bool:
        """Whether inputs are rows of pixels."""
        return self.kind == Kind.IMAGE


def failure_cards(failures: Sequence[Failure], data: ShownData) -> list[FailureCard]:
    """Fetch the sequences of failures and of the samples that belong to them."""
    return [
        FailureCard(
            failure,
            data.spec.kind,
            fetched(data, [failure.index])[0],
            fetched(data, [neighbour.index for neighbour in failure.neighbours]),
            fetched(data, [sample.index for sample in failure.injected]),
        )
        for failure in failures
    ]


def fetched(data: ShownData, indices: Sequence[int]) -> list[Tensor]:
    """Return the sequences with some indices."""
    return data.fetch(torch.tensor(indices, dtype=torch.int64)).sequences()
