"""What a strategy is given, and what it proposes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from rnnrepair.edits import Edit, EditFamily
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import Evidence, LabelDoubt, StepDistance, Suspicion, aligned_distance
from rnnrepair.patterns import PatternContext
from rnnrepair.repair.mend import Action, Mend
from rnnrepair.sequences import Changes, EditRegion, Phrases, SequenceBatch, joined_regions
from rnnrepair.traces import Traces


def _no_numbers() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


@dataclass(frozen=True)
class Sought:
    """Where patterns are looked for: all samples that supply failures, right ones too.

    Attributes:
        samples: S of them.
        margin: (S,) float32 probability of the true class minus that of the next; below 0 where
            the network is wrong.
    """

    samples: PatternContext
    margin: Tensor


@dataclass(frozen=True)
class RepairContext:
    """Everything a strategy may look at in one round (M failures).

    Attributes:
        evidence: the failures and the training samples behind them.
        originals: (n,) int64 indices of the original training samples.
        original_label: (n,) int64 classes of those.
        original_correct: (n,) bool, whether the network classifies them correctly.
        repair: (r,) int64 indices of the split that failures come from, right ones too.
        fetch: indices to sequences.
        judge: candidates to the traces that the network makes of them.
        edits: family of label-preserving edits, None for strategies that edit nothing.
        seed: of this round.
        unknown: token that stands for words without a number, None where inputs are features.
        token_names: by token; empty where inputs are features.
        progress: wraps a long loop in a progress bar.
        suspicion: of the original training samples; None for strategies that do not clean.
        doubt: of the labels of the M failures; None for those, too.
        settled: (s,) int64 samples that were mended before, also where that was taken back because
            it did harm: none is mended twice.
        mended: (m,) int64 those original training samples among them whose mending holds.
        mended_label: (m,) int64 classes that these had before.
        fit: traces of the training samples; None for strategies that read none.
        state_counts: (K, C) int64 step predictions of those in each abstract state.
        phrases: labelled parts of original samples and failures; None for strategies without.
        sought: where patterns are looked for; None for strategies that seek none.
        columns: what the user's data say of each sample of all splits, by the name of the column;
            looked up by index.
        round: number of the round, from 1.
        room: samples that the round may inject; None for as many as the budget allows.
    """

    evidence: Evidence
    originals: Tensor
    original_label: Tensor
    original_correct: Tensor
    repair: Tensor
    fetch: Callable[[Tensor], SequenceBatch]
    judge: Callable[[SequenceBatch], Traces]
    edits: EditFamily | None
    seed: int
    unknown: int | None = None
    token_names: Sequence[str] = ()
    progress: Callable[[Sequence[Tensor]], Iterable[Tensor]] = field(default=iter)
    suspicion: Suspicion | None = None
    doubt: LabelDoubt | None = None
    settled: Tensor = field(default_factory=_no_numbers)
    mended: Tensor = field(default_factory=_no_numbers)
    mended_label: Tensor = field(default_factory=_no_numbers)
    fit: Traces | None = None
    state_counts: Tensor = field(default_factory=_no_numbers)
    phrases: Phrases | None = None
    sought: Sought | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    round: int = 1
    room: int | None = None

    @cached_property
    def distance(self) -> StepDistance:
        """The distance between steps of traces; a table for the strategies that ask, only."""
        return aligned_distance(self.state_counts)

    def most(self, budget: int) -> int:
        """Return how many samples may be proposed, at a budget of so many for each failure."""
        most = budget * len(self.evidence)
        return most if self.room is None else min(most, self.room)

    def select(self, failures: Tensor) -> "RepairContext":
        """Return what is known of some failures, with their share of the room.

        Args:
            failures: (k,) int64 rows of the failures.
        """
        room, n = self.room, max(len(self.evidence), 1)
        return replace(
            self,
            evidence=self.evidence.select(failures),
            doubt=None if self.doubt is None else self.doubt.select(failures),
            room=None if room is None else room * len(failures) // n,
        )

    def looked_through(self) -> Sought:
        """Return where patterns are looked for.

        Raises:
            ConfigurationError: nobody has said it.
        """
        if self.sought is None:
            raise ConfigurationError(
                "sought: expected the samples that patterns are looked for in, got None: a "
                "strategy that seeks patterns says so (seeks_patterns)."
            )
        return self.sought


@dataclass(frozen=True)
class Proposal:
    """What one round changes: samples to inject (n of them) and samples to mend.

    Injected are the best of each failure first.

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
        mends: of samples that are there already, most suspicious first.
        withheld: failures that nothing is made for, because labels at them are in doubt.
        region: (n,) int64 place in ``regions`` of samples that every epoch draws anew, see
            ``Changes``; -1 of those that stay as they are.
        regions: of edits.
        untrusted: (u,) int64 indices of samples whose label is in doubt, see ``Changes``.
    """

    inputs: Tensor
    lengths: Tensor
    label: Tensor
    parent: Tensor
    failure: Tensor
    edits: list[Edit]
    reproduces: Tensor
    judged: int = 0
    context: Tensor = field(default_factory=_no_numbers)
    mends: Sequence[Mend] = ()
    withheld: int = 0
    region: Tensor = field(default_factory=_no_numbers)
    regions: Sequence[EditRegion] = ()
    untrusted: Tensor = field(default_factory=_no_numbers)

    def __post_init__(self) -> None:
        """Most strategies look for no context, and edit their samples once."""
        for name in ("context", "region"):
            if len(getattr(self, name)) != len(self.label):
                object.__setattr__(self, name, torch.full_like(self.label, -1))

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
        region, regions = joined_regions([(p.region, p.regions) for p in parts])
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
            [mend for p in parts for mend in p.mends],
            sum(p.withheld for p in parts),
            region,
            regions,
            torch.cat([p.untrusted for p in parts]),
        )

    def select(self, rows: Tensor) -> "Proposal":
        """Return some of the samples to inject, and all that is to be mended."""
        return replace(
            self,
            inputs=self.inputs[rows],
            lengths=self.lengths[rows],
            label=self.label[rows],
            parent=self.parent[rows],
            failure=self.failure[rows],
            edits=[self.edits[row] for row in rows.tolist()],
            reproduces=self.reproduces[rows],
            context=self.context[rows],
            region=self.region[rows],
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

    def changes(self, *, in_place: bool = False) -> Changes:
        """Return what is to be done to the data.

        Args:
            in_place: whether samples take the place of their parents.
        """
        removed = _of(self.mends, Action.REMOVE)
        if in_place:
            removed = torch.cat([removed, self.parent.unique()])
        relabelled = [mend for mend in self.mends if mend.action is Action.RELABEL]
        reweighted = [mend for mend in self.mends if mend.action is Action.REWEIGHT]
        return Changes(
            self.inputs if len(self) else None,
            self.lengths,
            self.label,
            origin=self.parent if len(self) else None,
            region=self.region,
            regions=self.regions,
            removed=removed,
            relabelled=_of(relabelled, Action.RELABEL),
            new_label=torch.tensor([mend.label for mend in relabelled], dtype=torch.int64),
            reweighted=_of(reweighted, Action.REWEIGHT),
            weight=torch.tensor([mend.weight for mend in reweighted], dtype=torch.float64),
            untrusted=self.untrusted,
        )


def _of(mends: Sequence[Mend], action: Action) -> Tensor:
    """Return the (n,) indices of what is mended in one way."""
    return torch.tensor([m.index for m in mends if m.action is action], dtype=torch.int64)


def _widened(inputs: Tensor, width: int) -> Tensor:
    """Pad (n, T, ...) on the right to ``width`` steps."""
    padding = inputs.new_zeros(len(inputs), width - inputs.shape[1], *inputs.shape[2:])
    return torch.cat([inputs, padding], 1)
