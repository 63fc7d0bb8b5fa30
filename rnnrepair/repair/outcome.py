"""What a repair has changed, sample by sample."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.sequences import RecurrentOutput, SequenceBatch


@dataclass(frozen=True)
class Predictions:
    """Predictions of a network on a split.

    Attributes:
        index: (N,) int64.
        label: (N,) int64.
        predicted: (N,) int64.
    """

    index: Tensor
    label: Tensor
    predicted: Tensor

    @property
    def correct(self) -> Tensor:
        """(N,) bool."""
        return self.predicted == self.label

    @property
    def accuracy(self) -> float:
        """Share of correct predictions."""
        return self.correct.double().mean().item()

    @property
    def n_failures(self) -> int:
        """Number of wrong predictions."""
        return int((~self.correct).sum())


def predict(
    trace: Callable[[SequenceBatch], RecurrentOutput],
    batches: Iterable[SequenceBatch],
    device: torch.device | str = "cpu",
) -> Predictions:
    """Predict every sequence, in ascending order of index; call it inside ``evaluating``."""
    parts = [
        (b.index.cpu(), b.label.cpu(), trace(b.to(device)).logits.argmax(-1).cpu()) for b in batches
    ]
    index, label, predicted = (torch.cat(p) for p in zip(*parts, strict=True))
    order = index.argsort()
    return Predictions(index[order], label[order], predicted[order])


@dataclass(frozen=True)
class Outcome:
    """The same split before and after a repair.

    Attributes:
        before: accuracy of the unrepaired network.
        after: accuracy of the repaired network.
        failures_before: failures of the unrepaired network.
        repaired_share: share of those that are right now (None where there were none).
        newly_broken: samples that were right and are wrong now.
    """

    before: float
    after: float
    failures_before: int
    repaired_share: float | None
    newly_broken: int

    @classmethod
    def of(cls, before: Predictions, after: Predictions) -> "Outcome":
        """Compare two predictions of one split.

        Raises:
            IncompatibleCheckpointError: they are of different samples.
        """
        if not torch.equal(before.index, after.index):
            raise IncompatibleCheckpointError(
                "The predictions before and after the repair are of different samples: the "
                "checkpoint was made with other data or another split (check seed and datamodule)."
            )
        failed = ~before.correct
        repaired = float(after.correct[failed].double().mean()) if failed.any() else None
        broken = int((before.correct & ~after.correct).sum())
        return cls(before.accuracy, after.accuracy, before.n_failures, repaired, broken)
