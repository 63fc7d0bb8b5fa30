"""Guided repair: mutated influential samples that go wrong the way the failure does."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.repair.edits import Edit
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.seeding import torch_generator
from rnnrepair.traces import SequenceBatch, Traces

# Candidates judged at a time; bounds the memory of a round (28 x 28 floats: 64 MB).
JUDGED_AT_A_TIME = 20_000


@dataclass(frozen=True)
class _Candidates:
    """P edits of every source of m failures: row (p, i, s) of the judged batch."""

    parents: SequenceBatch
    edits: list[Edit]
    inputs: Tensor
    owner: Tensor

    @property
    def parent_row(self) -> Tensor:
        return torch.arange(len(self.parents)).repeat(len(self.edits))

    @property
    def edit_row(self) -> Tensor:
        return torch.arange(len(self.edits)).repeat_interleave(len(self.parents))


class GuidedRepair:
    """``guided``: influential training samples of the true label, mutated and selected.

    For a failure of true label t, the nearest correctly classified training samples of t are
    mutated in many ways and the network is run on all of them. Kept are first the mutations that
    reproduce the fault (they get the failure's wrong label although they are t), then those
    whose trace comes nearest to the failing trace.

    Source: RNNRepair algorithm 2, with the filter on the candidates' own prediction that the
    original computes and ignores.
    """

    name = "guided"
    needs: frozenset[str] = frozenset()

    def __init__(self, sources: int = 20, mutations: int = 16) -> None:
        """Set up the strategy.

        Args:
            sources: influential samples per failure that are mutated.
            mutations: edits of each of them.

        Raises:
            ConfigurationError: a value below 1.
        """
        for name, value in {"sources": sources, "mutations": mutations}.items():
            if value < 1:
                raise ConfigurationError(
                    f"repair.strategies.guided.{name} must be at least 1, got {value}."
                )
        self.sources = sources
        self.mutations = mutations

    def check(self, budget: int) -> None:
        """Refuse fewer candidates per failure than samples to choose."""
        if self.sources * self.mutations < budget:
            raise ConfigurationError(
                f"repair.budget={budget} samples per failure cannot be chosen from "
                f"{self.sources} sources x {self.mutations} mutations = "
                f"{self.sources * self.mutations} candidates: raise "
                "repair.strategies.guided.mutations or repair.strategies.guided.sources, or lower "
                "repair.budget."
            )

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Judge the candidates of a few failures at a time and keep the best of each."""
        sources = context.influence.sources[:, : self.sources]
        at_a_time = max(1, JUDGED_AT_A_TIME // (self.sources * self.mutations))
        parts = [
            self._propose_for(rows, sources[rows], context, budget)
            for rows in context.progress(torch.arange(len(sources)).split(at_a_time))
        ]
        return Proposal.joined(parts)

    def _propose_for(
        self, rows: Tensor, sources: Tensor, context: RepairContext, budget: int
    ) -> Proposal:
        if not (sources >= 0).any():  # the network is right on no sample of these labels
            return Proposal.empty(context)
        failures = context.influence.failures.select(rows)
        candidates = self._mutate(sources, context, int(rows[0]))
        lengths = candidates.parents.lengths[candidates.parent_row]
        traces = context.judge(candidates.inputs, lengths)
        distance = paired_distance(traces, failures, candidates.owner, context)
        reproduces = traces.final_prediction == failures.final_prediction[candidates.owner]
        chosen = choose(
            candidates.owner,
            candidates.parents.index[candidates.parent_row],
            candidates.edit_row,
            reproduces,
            distance,
            budget,
        )
        parent_row = candidates.parent_row[chosen]
        return Proposal(
            candidates.inputs[chosen],
            lengths[chosen],
            candidates.parents.label[parent_row],
            candidates.parents.index[parent_row],
            rows[candidates.owner[chosen]],
            [candidates.edits[e] for e in candidates.edit_row[chosen].tolist()],
            reproduces[chosen],
            judged=len(traces),
        )

    def _mutate(self, sources: Tensor, context: RepairContext, stream: int) -> _Candidates:
        """Draw the edits once and apply each to all sources of these failures in one call."""
        owner, place = (sources >= 0).nonzero(as_tuple=True)
        parents = context.fetch(sources[owner, place])
        generator = torch_generator(context.seed, "guided edits", stream)
        edits = [context.mutation.draw(generator) for _ in range(self.mutations)]
        inputs = torch.cat(
            [context.mutation.apply(parents.inputs, edit, parents.lengths) for edit in edits]
        )
        return _Candidates(parents, edits, inputs, owner.repeat(len(edits)))


def paired_distance(
    candidates: Traces, failures: Traces, owner: Tensor, context: RepairContext
) -> Tensor:
    """Return (n,) float32 mean step distance of each candidate to the failure that owns it."""
    n_steps = int(torch.maximum(candidates.lengths.max(), failures.lengths.max()))
    table = context.distance.exact(n_steps)
    goal = failures.padded_code(n_steps).long()[owner]
    total = table[candidates.padded_code(n_steps).long(), goal].sum(1)
    if not context.distance.masked:
        return total / n_steps
    return total / torch.minimum(candidates.lengths, failures.lengths[owner])


def choose(
    owner: Tensor,
    parent: Tensor,
    edit: Tensor,
    reproduces: Tensor,
    distance: Tensor,
    budget: int,
) -> Tensor:
    """Return the chosen rows: per owner the best ``budget``, no sample twice.

    Best means reproducing the fault first, then nearest, ties by row. Two failures of one label
    share sources: what an earlier failure has taken, a later one cannot take again.
    """
    order = distance.argsort(stable=True)
    order = order[(~reproduces[order]).int().argsort(stable=True)]
    order = order[owner[order].argsort(stable=True)]
    # First come, first served on (parent, edit).
    sample = (parent * (int(edit.max()) + 1) + edit)[order]
    taken: set[int] = set()
    left = dict.fromkeys(owner.tolist(), budget)
    kept = []
    for position, (key, whose) in enumerate(
        zip(sample.tolist(), owner[order].tolist(), strict=True)
    ):
        if left[whose] and key not in taken:
            left[whose] -= 1
            taken.add(key)
            kept.append(position)
    return order[torch.tensor(kept, dtype=torch.int64)]
