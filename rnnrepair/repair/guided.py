"""Guided repair: mutated influential samples that go wrong the way the failure does."""

from dataclasses import replace

import torch
from torch import Tensor

from rnnrepair.errors import Fault, SettingsError
from rnnrepair.influence import Role, found, paired_distance, usable_parents
from rnnrepair.repair.controls import draw_of_class
from rnnrepair.repair.edited import edit_each
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.repair.strategy import RepairStrategy
from rnnrepair.seeding import torch_generator
from rnnrepair.settings import Count, check_settings

# Candidates judged at a time; bounds the memory of a round (28 x 28 floats: 64 MB).
JUDGED_AT_A_TIME = 20_000


class GuidedRepair(RepairStrategy):
    """``guided``: influential training samples of the true label, mutated and selected.

    For a failure of true label t, the nearest correctly classified training samples of t are
    mutated in many ways and the network is run on all of them. Kept are first the mutations that
    reproduce the fault (they get the failure's wrong label although they are t), then those
    whose trace comes nearest to the failing trace.

    Source: RNNRepair algorithm 2, with the filter on the candidates' own prediction that the
    original computes and ignores.
    """

    name = "guided"
    needs = frozenset({Role.PARENTS})
    edits_samples = True

    def __init__(self, parents: Count = 20, mutations: Count = 16) -> None:
        """Choose how many candidates a failure gets.

        Args:
            parents: training samples per failure that are mutated.
            mutations: edits of each of them.

        Raises:
            SettingsError: a value below 1.
        """
        check_settings(GuidedRepair, locals())
        self.parents = parents
        self.mutations = mutations

    def check(self, budget: int) -> None:
        """Refuse fewer candidates per failure than samples to choose."""
        candidates = self.parents * self.mutations
        if candidates < budget:
            told = (
                f"{budget} samples per failure cannot be chosen from {self.parents} parents x "
                f"{self.mutations} mutations = {candidates} candidates: lower it, or raise "
                f"parents or mutations of {type(self).__name__}"
            )
            raise SettingsError(type(self).__name__, [Fault("budget", told)])

    def parents_of(self, context: RepairContext) -> Tensor:
        """Return (M, parents) int64 samples that are mutated for each failure, -1 for none."""
        return found(context.evidence.parents, Role.PARENTS).index[:, : self.parents]

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Judge the candidates of a few failures at a time and keep the best of each."""
        parents = self.parents_of(context)
        at_a_time = max(1, JUDGED_AT_A_TIME // (self.parents * self.mutations))
        parts = [
            self._propose_for(rows, parents[rows], context, budget)
            for rows in context.progress(torch.arange(len(parents)).split(at_a_time))
        ]
        return Proposal.joined(parts)

    def _propose_for(
        self, rows: Tensor, parents: Tensor, context: RepairContext, budget: int
    ) -> Proposal:
        """Propose for the failures in ``rows``, whose (m, parents) are given."""
        owner = (parents >= 0).nonzero()[:, 0]
        if len(owner) == 0:  # the network is right on no sample of these labels
            return Proposal.empty(context)
        owner = owner.repeat_interleave(self.mutations)
        candidates = context.fetch(parents[parents >= 0].repeat_interleave(self.mutations))
        generator = torch_generator(context.seed, "guided edits", int(rows[0]))
        edits, inputs = edit_each(candidates, context, generator)
        traces = context.judge(replace(candidates, inputs=inputs))
        failures = context.evidence.failures.select(rows).select(owner)
        reproduces = traces.final_prediction == failures.final_prediction
        distance = paired_distance(context.distance, traces, failures)
        chosen = choose(owner, reproduces, distance, budget)
        return Proposal(
            inputs[chosen],
            candidates.lengths[chosen],
            candidates.label[chosen],
            candidates.index[chosen],
            rows[owner[chosen]],
            edits.select(chosen).to_list(),
            reproduces[chosen],
            judged=len(traces),
        )


class HardRepair(GuidedRepair):
    """``hard``: the same without influence.

    The samples that are mutated are drawn at random among the correctly classified training samples
    of the failure's class (all of it where none is): what is left of ``guided`` when only the
    judging does the work.
    """

    name = "hard"
    needs = frozenset()

    def parents_of(self, context: RepairContext) -> Tensor:
        """Draw the samples that are mutated, see ``draw_of_class``."""
        usable = usable_parents(context.original_label, context.original_correct)
        return draw_of_class(context, self.parents, usable)


def choose(owner: Tensor, reproduces: Tensor, distance: Tensor, budget: int) -> Tensor:
    """Return the chosen rows: per owner the best ``budget``, best first.

    Best means reproducing the fault first, then nearest. Equally good candidates come in the order
    in which they were drawn, which is random.

    Args:
        owner: (n,) ascending, whose candidate each is.
        reproduces: (n,) bool.
        distance: (n,) to the failure.
        budget: candidates kept for each owner.
    """
    order = distance.argsort(stable=True)
    order = order[(~reproduces[order]).int().argsort(stable=True)]
    order = order[owner[order].argsort(stable=True)]
    ranked = owner[order]
    rank = torch.arange(len(order)) - torch.searchsorted(ranked, ranked)
    return order[rank < budget]
