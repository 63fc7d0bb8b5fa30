"""What the unrepaired and the final network answer on a split."""

from dataclasses import dataclass, fields
from functools import cached_property

import torch
from torch import Tensor

from rnnrepair.errors import DataError
from rnnrepair.network import Predictions
from rnnrepair.repair import Outcome


@dataclass(frozen=True, eq=False)
class SplitAnswers:
    """Predictions of both networks on the N sequences of a split.

    Attributes:
        index: (N,) int64, ascending.
        label: (N,) int64.
        before: (N,) int64, class predicted by the unrepaired network.
        after: (N,) int64, class predicted by the final network.
        group: (N,) int64, equal where sequences tell the same: copies, windows of one recording.
            None where each stands alone.
    """

    index: Tensor
    label: Tensor
    before: Tensor
    after: Tensor
    group: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be paired with other runs.

        Raises:
            DataError: unlike lengths, nothing in it, negative numbers or an index out of order.
        """
        shapes = {name: tuple(tensor.shape) for name, tensor in self.tensors().items()}
        if len(set(shapes.values())) > 1 or self.index.ndim != 1 or not len(self.index):
            raise DataError(
                f"Answers need tensors of one shape (N,) with N > 0, got {shapes}: give the "
                "labels and predictions of the same sequences."
            )
        if bool((self.index.diff() <= 0).any()):
            raise DataError(
                "Answers must stand in ascending order of index, each once: sort them by index, "
                "as TracedNetwork.predict does."
            )
        negative = [name for name, tensor in self.tensors().items() if int(tensor.min()) < 0]
        if negative:
            raise DataError(f"Answers hold indices and classes from 0 on, got less in {negative}.")

    @classmethod
    def of(
        cls, before: Predictions, after: Predictions, groups: Tensor | None = None
    ) -> "SplitAnswers":
        """Put the predictions of both networks side by side.

        Args:
            before: of the unrepaired network.
            after: of the final network.
            groups: what each sequence of the data belongs to, looked up by index; None where each
                stands alone.

        Raises:
            IncompatibleCheckpointError: they are of different sequences.
        """
        Outcome.of(before, after)
        # Numbered from 0, whatever the data call them.
        own = None if groups is None else groups[before.index].unique(return_inverse=True)[1]
        group = None if own is None or len(own.unique()) == len(own) else own
        return cls(before.index, before.label, before.predicted, after.predicted, group)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name, as far as there are any."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: tensor for name, tensor in named.items() if tensor is not None}

    @property
    def unrepaired(self) -> Predictions:
        """What the unrepaired network says."""
        return Predictions(self.index, self.label, self.before)

    @property
    def final(self) -> Predictions:
        """What the final network says."""
        return Predictions(self.index, self.label, self.after)

    @cached_property
    def outcome(self) -> Outcome:
        """What has changed in between."""
        return Outcome.of(self.unrepaired, self.final)

    def right_among(self, wanted: Tensor) -> Tensor:
        """Return (n,) bool: whether the final network is right about each of some sequences.

        Args:
            wanted: indices; those of other splits do not count.
        """
        return self.final.correct[torch.isin(self.index, wanted)]
