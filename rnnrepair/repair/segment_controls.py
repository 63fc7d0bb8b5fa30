"""Controls and the published strategy of segment repair: the responsible token, inserted.

Source: RNNRepair section 4.4; experiments reference 8.4, with copies instead of edits in place, one
edit a copy, and positions that are valid by construction.
"""

import torch

from rnnrepair.influence import Contexts, responsible_step
from rnnrepair.repair.edits import Edit
from rnnrepair.repair.graft import Pick, graft, proposal_of
from rnnrepair.repair.proposal import Proposal, RepairContext, found
from rnnrepair.seeding import torch_generator


def insertion(at: int, step: int) -> Edit:
    """Return the edit that inserts a token of the failure before the parent's step ``at``."""
    return graft(at, step, step + 1, at)


def insert_at(contexts: Contexts, context: RepairContext, budget: int) -> Proposal:
    """Insert each failure's responsible token where its contexts end, nearest context first.

    A failure with fewer contexts than ``budget`` uses them again.
    """
    step = responsible_step(context.influence.failures).tolist()
    picks = []
    for row, (samples, positions) in enumerate(
        zip(contexts.sample.tolist(), contexts.position.tolist(), strict=True)
    ):
        known = [(s, p) for s, p in zip(samples, positions, strict=True) if s >= 0]
        for turn in range(budget if known else 0):
            sample, position = known[turn % len(known)]
            picks.append(Pick(row, sample, insertion(position + 1, step[row])))
    return proposal_of(picks, context)


class _Segment:
    name: str
    needs: frozenset[str] = frozenset()

    def check(self, budget: int) -> None:
        """Any budget will do: contexts are used again where there are too few."""


class RandomSampleRepair(_Segment):
    """``random_sample``: the responsible token in random samples at random positions."""

    name = "random_sample"

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Draw parents with replacement from the original training samples."""
        step = responsible_step(context.influence.failures).tolist()
        generator = torch_generator(context.seed, "random insertions")
        n = len(step) * budget
        draw = torch.randint(len(context.originals), (n,), generator=generator)
        parents = context.originals[draw]
        lengths = context.fetch(parents).lengths
        # Before any token of the parent, or behind its last.
        at = (torch.rand(n, generator=generator) * (lengths + 1)).long()
        picks = [
            Pick(i // budget, parent, insertion(place, step[i // budget]))
            for i, (parent, place) in enumerate(zip(parents.tolist(), at.tolist(), strict=True))
        ]
        return proposal_of(picks, context)


class RandomContextRepair(_Segment):
    """``random_context``: in random samples of the true label that come to the failure's state.

    The control that the paper calls random: only the ranking is dropped.
    """

    name = "random_context"
    needs = frozenset({"drawn"})

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Insert where the samples visit the state, in the order of the draw."""
        return insert_at(found(context.influence.drawn), context, budget)


class InsertionRepair(_Segment):
    """``insertion``: in the samples whose context shares the longest run with the failure's.

    The strategy that the paper calls guided.
    """

    name = "insertion"
    needs = frozenset({"contexts"})

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Insert where the common run ends."""
        return insert_at(found(context.influence.contexts), context, budget)
