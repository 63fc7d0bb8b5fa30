"""The controls that every repair is judged against, at equal budget and equal steps."""

import torch
from torch import Tensor

from rnnrepair.edits import IDENTITY
from rnnrepair.influence import Role, found
from rnnrepair.repair.edited import edited_proposal, unjudged
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.repair.strategy import RepairStrategy
from rnnrepair.seeding import torch_generator


class NoRepair(RepairStrategy):
    """``none``: go on training; what a repair must beat."""

    name = "none"
    injects = False

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Propose nothing."""
        return Proposal.empty(context)


class TrainOnAll(RepairStrategy):
    """``augment`` (images, series), ``all`` (text): what a user would do without this tool.

    A new network, trained on the fit and the repair split together, for as many steps at the same
    rates as base and repair take together.
    """

    injects = False
    starts_anew = True

    def __init__(self, augments: bool = True) -> None:
        """Choose the alternative.

        Args:
            augments: whether it rests on augmentation, which then draws the repair's edits.
        """
        self.name = "augment" if augments else "all"
        self.augments = augments

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Propose nothing."""
        return Proposal.empty(context)


class RandomRepair(RepairStrategy):
    """``random``: random training samples, each with one random edit."""

    name = "random"
    edits_samples = True

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Draw parents with replacement from the original training samples."""
        n_failures = len(context.evidence)
        generator = torch_generator(context.seed, "parents")
        draw = torch.randint(len(context.originals), (n_failures * budget,), generator=generator)
        parents = context.fetch(context.originals[draw])
        return edited_proposal(parents, _each(n_failures, budget), context)


class ClassRepair(RepairStrategy):
    """``class``: random training samples of the failures' classes, each with one random edit."""

    name = "class"
    edits_samples = True

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Draw parents with replacement from the original samples of each failure's class."""
        everyone = torch.ones_like(context.original_correct)
        parent = draw_of_class(context, budget, everyone)
        failure = torch.arange(len(parent))[:, None].expand(-1, budget)
        usable = parent >= 0
        return edited_proposal(context.fetch(parent[usable]), failure[usable], context)


def draw_of_class(context: RepairContext, n: int, allowed: Tensor) -> Tensor:
    """Return (M, n) int64 original samples of each failure's class, drawn with replacement.

    Args:
        context: of the round.
        n: samples a failure; -1 where there are none.
        allowed: (originals,) bool, samples that may be drawn.
    """
    label = context.evidence.failures.label
    generator = torch_generator(context.seed, "parents of the class")
    parent = torch.full((len(label), n), -1)
    for c in label.unique():
        own = context.originals[allowed & (context.original_label == c)]
        failures = (label == c).nonzero()[:, 0]
        draw = torch.rand(len(failures), n, generator=generator)
        if len(own):
            parent[failures] = own[(draw * len(own)).long()]
    return parent


class InfluenceRepair(RepairStrategy):
    """``influence``: the nearest training samples of the true label, edited but not selected."""

    name = "influence"
    needs = frozenset({Role.PARENTS})
    edits_samples = True

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Take each failure's parents in turn, and again with other edits where they run out."""
        parents = found(context.evidence.parents, Role.PARENTS).index
        available = (parents >= 0).sum(1)
        turn = torch.arange(budget)[None] % available.clamp_min(1)[:, None]
        parent = parents.gather(1, turn)
        failure = torch.arange(len(parents))[:, None].expand(-1, budget)
        usable = parent >= 0
        return edited_proposal(context.fetch(parent[usable]), failure[usable], context)


class FailureRepair(RepairStrategy):
    """``failures``: the failing samples themselves, copied."""

    name = "failures"

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Copy each failure ``budget`` times."""
        failure = _each(len(context.evidence), budget)
        batch = context.fetch(context.evidence.failures.index[failure])
        return unjudged(batch, batch.inputs, failure, [IDENTITY] * len(failure))


class MutatedFailureRepair(RepairStrategy):
    """``mutated_failures``: the failing samples, each copy with an edit of its own."""

    name = "mutated_failures"
    edits_samples = True

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Copy each failure ``budget`` times and edit the copies."""
        failure = _each(len(context.evidence), budget)
        batch = context.fetch(context.evidence.failures.index[failure])
        return edited_proposal(batch, failure, context)


class FitFailureRepair(RepairStrategy):
    """``fit_failures``: the training samples that the network gets wrong, each with a random edit.

    What anybody can do without traces: see more of what training itself has not learnt. Every wrong
    original sample comes once before any comes again.
    """

    name = "fit_failures"
    edits_samples = True

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Take wrong original samples in random order; none where there are none."""
        wrong = context.originals[~context.original_correct]
        if len(wrong) == 0:
            return Proposal.empty(context)
        n_failures = len(context.evidence)
        generator = torch_generator(context.seed, "wrong training samples")
        order = wrong[torch.randperm(len(wrong), generator=generator)]
        parent = order[torch.arange(n_failures * budget) % len(order)]
        # A failure after the other, so that fewer samples serve all of them.
        failure = torch.arange(n_failures).repeat(budget)
        return edited_proposal(context.fetch(parent), failure, context)


def _each(n_failures: int, budget: int) -> Tensor:
    """Return the (n_failures * budget,) rows of the failures, each ``budget`` times."""
    return torch.arange(n_failures).repeat_interleave(budget)
