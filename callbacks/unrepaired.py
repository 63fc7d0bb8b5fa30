"""What the report remembers of the unrepaired network until the record is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from rnnrepair.callbacks.analysis import AnalysisCallback, log, upstream
from rnnrepair.callbacks.influence_analysis import InfluenceAnalysis
from rnnrepair.callbacks.repair_injection import RepairInjection
from rnnrepair.influence import SharedValue
from rnnrepair.network import Predictions
from rnnrepair.protocols import Split
from rnnrepair.record import Failure, Suspect, gather_failures, gather_suspects, with_evidence
from rnnrepair.repair import LedgerRow


@dataclass(frozen=True, eq=False)
class Unrepaired:
    """The unrepaired network's answers and failures, and the labels in doubt by it.

    Attributes:
        answers: by split.
        targets: (n,) int64 indices of the failures that the first round looked at.
        failures: the first of those, with the samples that belong to them.
        suspects: samples whose label is suspect.
        shared: values of the user's columns that doubted labels have in common.
        n_far: see ``Suspicion``.
    """

    answers: Mapping[Split, Predictions]
    targets: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    failures: tuple[Failure, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    shared: tuple[SharedValue, ...] = ()
    n_far: int = 0

    def seen_by(
        self, trainer: pl.Trainer, reader: AnalysisCallback, max_cards: int, seed: int
    ) -> "Unrepaired":
        """Add what the chain has found in its first round.

        Args:
            trainer: with the callbacks of the chain.
            reader: that asks; the seconds are counted as its own.
            max_cards: failures and suspects that are shown with their samples.
            seed: of what is drawn beside the suspects.
        """
        found = self._with_failures(trainer, reader, max_cards)
        return found._with_suspects(trainer, reader, max_cards, seed)

    def _with_failures(
        self, trainer: pl.Trainer, reader: AnalysisCallback, max_cards: int
    ) -> "Unrepaired":
        source = upstream(trainer, InfluenceAnalysis, reader)
        if source.evidence is None:
            return self
        # Labels as they were when the samples were found: a round may have changed some since.
        fit = source.view.traces
        failures = gather_failures(
            source.evidence,
            upstream(trainer, RepairInjection, reader).ledger,
            lambda index: fit.label[torch.searchsorted(fit.index, index)],
            max_cards,
        )
        return replace(self, targets=source.evidence.failures.index, failures=failures)

    def _with_suspects(
        self, trainer: pl.Trainer, reader: AnalysisCallback, max_cards: int, seed: int
    ) -> "Unrepaired":
        source = upstream(trainer, InfluenceAnalysis, reader)
        with reader.timed():
            suspicion = source.suspicion()
            suspects = gather_suspects(
                suspicion, source.view, source.evidence, source.doubt(trainer)
            )
            shown = with_evidence(suspects, source.view, max_cards, seed)
        for value in suspicion.shared:
            log.warning("%s.", value.told)
        return replace(self, suspects=tuple(shown), shared=suspicion.shared, n_far=suspicion.n_far)

    def failures_with(self, ledger: Sequence[LedgerRow]) -> tuple[Failure, ...]:
        """Return the failures without samples of the first round that were taken back.

        Later rounds have the numbers of those that were taken back.
        """
        first = {row.new_id for row in ledger if row.injected and row.round == 1}
        return tuple(
            replace(failure, injected=tuple(s for s in failure.injected if s.index in first))
            for failure in self.failures
        )

    @cached_property
    def plain(self) -> dict[str, Any]:
        """All of it as plain values and tensors, for checkpoints: every epoch writes two."""
        return {
            "answers": {
                split: {"index": p.index, "label": p.label, "predicted": p.predicted}
                for split, p in self.answers.items()
            },
            "targets": self.targets,
            "failures": [failure.plain() for failure in self.failures],
            "suspects": [suspect.plain() for suspect in self.suspects],
            "shared": [value.plain() for value in self.shared],
            "n_far": self.n_far,
        }

    @classmethod
    def of_plain(cls, told: Mapping[str, Any]) -> "Unrepaired":
        """Return what ``plain`` told."""
        return cls(
            answers={split: Predictions(**fields) for split, fields in told["answers"].items()},
            targets=told["targets"],
            failures=tuple(Failure.of_plain(failure) for failure in told["failures"]),
            suspects=tuple(Suspect.of_plain(suspect) for suspect in told["suspects"]),
            shared=tuple(SharedValue.of_plain(value) for value in told["shared"]),
            n_far=told["n_far"],
        )
