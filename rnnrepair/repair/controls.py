"""The controls that every repair is judged against, at equal budget."""

import torch
from torch import Tensor

from rnnrepair.repair.edits import IDENTITY, Edit
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.seeding import torch_generator
from rnnrepair.traces import SequenceBatch


def edit_each(parents: SequenceBatch, context: RepairContext) -> tuple[Tensor, list[Edit]]:
    """Return every parent changed by an edit of its own, unselected."""
    generator = torch_generator(context.seed, "edits")
    edits = [context.mutation.draw(generator) for _ in range(len(parents))]
    edited = [
        context.mutation.apply(parents.inputs[i : i + 1], edit, parents.lengths[i : i + 1])
        for i, edit in enumerate(edits)
    ]
    return torch.cat([parents.inputs[:0], *edited]), edits


def _unjudged(
    parents: SequenceBatch, inputs: Tensor, failure: Tensor, edits: list[Edit]
) -> Proposal:
    nothing_known = torch.zeros(len(failure), dtype=torch.bool)
    return Proposal(
        inputs, parents.lengths, parents.label, parents.index, failure, edits, nothing_known
    )


class _Control:
    """A strategy that judges no candidates, so that any budget can be filled."""

    name: str
    needs: frozenset[str] = frozenset()

    def check(self, budget: int) -> None:
        """Any budget will do."""


class NoRepair(_Control):
    """``none``: go on training; what a repair must beat."""

    name = "none"

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Propose nothing."""
        return Proposal.empty(context)


class RandomRepair(_Control):
    """``random``: random training samples, each with one random edit."""

    name = "random"

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Draw parents with replacement from the original training samples."""
        n_failures = len(context.influence)
        generator = torch_generator(context.seed, "parents")
        draw = torch.randint(len(context.originals), (n_failures * budget,), generator=generator)
        parents = context.fetch(context.originals[draw])
        inputs, edits = edit_each(parents, context)
        failure = torch.arange(n_failures).repeat_interleave(budget)
        return _unjudged(parents, inputs, failure, edits)


class InfluenceRepair(_Control):
    """``influence``: the nearest training samples of the true label, edited but not selected."""

    name = "influence"

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Take each failure's sources in turn, and again with other edits where they run out."""
        sources = context.influence.sources
        available = (sources >= 0).sum(1)
        turn = torch.arange(budget)[None] % available.clamp_min(1)[:, None]
        parent = sources.gather(1, turn)
        failure = torch.arange(len(sources))[:, None].expand(-1, budget)
        usable = parent >= 0
        parents = context.fetch(parent[usable])
        inputs, edits = edit_each(parents, context)
        return _unjudged(parents, inputs, failure[usable], edits)


class FailureRepair(_Control):
    """``failures``: the failing samples themselves, copied."""

    name = "failures"

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Copy each failure ``budget`` times."""
        failure = torch.arange(len(context.influence)).repeat_interleave(budget)
        batch = context.fetch(context.influence.failures.index[failure])
        return _unjudged(batch, batch.inputs, failure, [IDENTITY] * len(failure))
