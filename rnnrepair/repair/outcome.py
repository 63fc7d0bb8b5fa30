"""What a repair has changed, sample by sample."""

from dataclasses import dataclass

import torch

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.network import Predictions


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

    @property
    def repaired(self) -> int:
        """Samples that were wrong and are right now."""
        return round((self.repaired_share or 0) * self.failures_before)

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
