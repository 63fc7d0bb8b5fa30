"""Controls and the published strategy of segment repair: the responsible token, inserted.

Source: RNNRepair section 4.4, with one edit a copy, and positions that are valid by construction.
"""

from collections import Counter

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.edits import Edit
from rnnrepair.influence import Contexts, Role, found, token_at
from rnnrepair.repair.graft import Pick, graft, proposal_of
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.repair.strategy import RepairStrategy
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import Kind
from rnnrepair.settings import Count, check_settings


def insertion(at: int, step: int) -> Edit:
    """Return the edit that inserts a token of the failure before the parent's step ``at``."""
    return graft(at, step, step + 1, at)


class _Insertion(RepairStrategy):
    """Base of the strategies that insert the responsible token of a failure."""

    fits = frozenset({Kind.TOKENS})
    lengthens = True

    @override
    def serves(self, context: RepairContext) -> Tensor:
        # A word that has no number says nothing: inserted, it would teach what <unk> means.
        if context.unknown is None:
            return super().serves(context)
        evidence = context.evidence
        return token_at(evidence.failures, evidence.step) != context.unknown


class RandomSampleRepair(_Insertion):
    """``random_sample``: the responsible token in random samples at random positions."""

    name = "random_sample"

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Draw parents with replacement from the original training samples."""
        step = context.evidence.step.tolist()
        rows = self.serves(context).nonzero()[:, 0].repeat_interleave(budget).tolist()
        generator = torch_generator(context.seed, "random insertions")
        draw = torch.randint(len(context.originals), (len(rows),), generator=generator)
        parents = context.originals[draw]
        lengths = context.fetch(parents).lengths
        # Before any token of the parent, or behind its last.
        at = (torch.rand(len(rows), generator=generator) * (lengths + 1)).long()
        picks = [
            Pick(row, parent, insertion(place, step[row]))
            for row, parent, place in zip(rows, parents.tolist(), at.tolist(), strict=True)
        ]
        return proposal_of(picks, context)


class _ContextInsertion(_Insertion):
    """Base of the strategies that insert where training samples come to the failure's state."""

    def __init__(self, per_parent: Count = 2) -> None:
        """Limit how often one training sample is edited in a round.

        Raises:
            SettingsError: a limit below 1.
        """
        check_settings(_ContextInsertion, locals())
        self.per_parent = per_parent

    def insert_at(self, contexts: Contexts, context: RepairContext, budget: int) -> Proposal:
        """Insert each failure's responsible token where its contexts end, first context first.

        All failures get a first sample before any gets a second one, so that those that come first
        do not use up the parents.
        """
        step = context.evidence.step.tolist()
        served = self.serves(context).nonzero()[:, 0].tolist()
        samples, positions, runs = (
            part.tolist() for part in (contexts.sample, contexts.position, contexts.run)
        )
        untried = {row: iter(range(len(samples[row]))) for row in served}
        used: Counter[int] = Counter()
        picks = []
        for row in served * budget:
            for place in untried[row]:
                parent = samples[row][place]
                if parent >= 0 and used[parent] < self.per_parent:
                    used[parent] += 1
                    edit = insertion(positions[row][place] + 1, step[row])
                    picks.append(Pick(row, parent, edit, runs[row][place]))
                    break
        return proposal_of(picks, context)


class RandomContextRepair(_ContextInsertion):
    """``random_context``: in random samples of the true label that come to the failure's state.

    The control that the paper calls random: only the ranking is dropped.
    """

    name = "random_context"
    needs = frozenset({Role.RANDOM_CONTEXTS})

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Insert where the run that each sample shares with the failure ends."""
        drawn = found(context.evidence.random_contexts, Role.RANDOM_CONTEXTS)
        return self.insert_at(drawn, context, budget)


class InsertionRepair(_ContextInsertion):
    """``insertion``: in the samples whose context shares the longest run with the failure's.

    The strategy that the paper calls guided.
    """

    name = "insertion"
    needs = frozenset({Role.CONTEXTS})

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Insert where the common run ends."""
        return self.insert_at(found(context.evidence.contexts, Role.CONTEXTS), context, budget)
