"""What a strategy is given, and what it proposes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rnnrepair.edits import Edit, EditFamily
from rnnrepair.influence import Evidence, StepDistance
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces


@dataclass(frozen=True)
class RepairContext:
    """Everything a strategy may look at in one round (M failures).

    Attributes:
        evidence: the failures and the training samples behind them.
        originals: (n,) int64 indices of the original training samples.
        original_label: (n,) int64 classes of those.
        original_correct: (n,) bool, whether the network classifies them correctly.
        fetch: indices to sequences.
        judge: candidates to the traces that the network makes of them.
        distance: between steps of traces.
        edits: family of label-preserving edits, None for strategies that edit nothing.
        seed: of this round.
        unknown: token that stands for words without a number, None where inputs are features.
        progress: wraps a long loop in a progress bar.
    """

    evidence: Evidence
    originals: Tensor
    original_label: Tensor
    original_correct: Tensor
    fetch: Callable[[Tensor], SequenceBatch]
    judge: Callable[[SequenceBatch], Traces]
    distance: StepDistance
    edits: EditFamily | None
    seed: int
    unknown: int | None = None
    progress: Callable[[Sequence[Tensor]], Iterable[Tensor]] = field(default=iter)


@dataclass(frozen=True)
class Proposal:
    """Samples to inject (n of them), best of each failure first.

    Attributes:
        inputs: (n, T, F).
        lengths: (n,) int64.
        label: (n,) int64.
        parent: (n,) int64 index of the sample each was made from.
        failure: (n,) int64 row of the failure it is meant for.
        edits: n edits.
        reproduces: (n,) bool, samples that the network is known to get wrong like their failure.
        judged: candidates that the network was run on.
        context: (n,) int64 transitions, tokens included, that parent and failure have in common
            where the sample was edited; -1 for samples that no context was looked for.
    """

    inputs: Tensor
    lengths: Tensor
    label: Tensor
    parent: Tensor
    failure: Tensor
    edits: list[Edit]
    reproduces: Tensor
    judged: int = 0
    context: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))

    def __post_init__(self) -> None:
        """Most strategies look for no context."""
        if len(self.context) != len(self.label):
            object.__setattr__(self, "context", torch.full_like(self.label, -1))

    def __len__(self) -> int:
        return len(self.label)

    @classmethod
    def empty(cls, context: RepairContext) -> "Proposal":
        """Return a proposal of no samples, of the data's shape."""
        batch = context.fetch(context.originals[:0])
        none = batch.label
        return cls(batch.inputs, batch.lengths, none, none, none, [], none.bool())

    @classmethod
    def joined(cls, parts: Sequence["Proposal"]) -> "Proposal":
        """Return the samples of all parts, one part behind the other, padded to the widest."""
        width = max(p.inputs.shape[1] for p in parts)
        return cls(
            torch.cat([_widened(p.inputs, width) for p in parts]),
            torch.cat([p.lengths for p in parts]),
            torch.cat([p.label for p in parts]),
            torch.cat([p.parent for p in parts]),
            torch.cat([p.failure for p in parts]),
            [edit for p in parts for edit in p.edits],
            torch.cat([p.reproduces for p in parts]),
            sum(p.judged for p in parts),
            torch.cat([p.context for p in parts]),
        )

    def select(self, rows: Tensor) -> "Proposal":
        """Return some of the samples."""
        return Proposal(
            self.inputs[rows],
            self.lengths[rows],
            self.label[rows],
            self.parent[rows],
            self.failure[rows],
            [self.edits[row] for row in rows.tolist()],
            self.reproduces[rows],
            self.judged,
            self.context[rows],
        )

    def limited(self, room: int) -> "Proposal":
        """Return at most ``room`` samples: first the best of every failure, then the second ..."""
        if len(self) <= room:
            return self
        order = torch.argsort(self.failure, stable=True)
        failure = self.failure[order]
        rank = torch.arange(len(self)) - torch.searchsorted(failure, failure)
        kept = order[torch.argsort(rank, stable=True)[:room]]
        return self.select(kept.sort().values)


def _widened(inputs: Tensor, width: int) -> Tensor:
    """Pad (n, T, ...) on the right to ``width`` steps."""
    padding = inputs.new_zeros(len(inputs), width - inputs.shape[1], *inputs.shape[2:])
    return torch.cat([inputs, padding], 1)
