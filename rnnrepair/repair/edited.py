"""Edited copies of training samples."""

from dataclasses import replace

import torch
from torch import Tensor

from rnnrepair.edits import IDENTITY, Edit, EditBatch
from rnnrepair.errors import ConfigurationError
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import COPY, SequenceBatch

# Sequences edited at a time: what a batch of them needs stays in the processor's cache.
EDITED_AT_A_TIME = 500


def edit_each(
    parents: SequenceBatch, context: RepairContext, generator: torch.Generator
) -> tuple[EditBatch, Tensor]:
    """Draw n edits; return them, and (n, T, ...) inputs: parent i changed by edit i.

    Raises:
        ConfigurationError: the context has no edits to draw from.
    """
    family = context.edits
    if family is None:
        raise ConfigurationError("There are no edits to draw from: give RepairContext some.")
    edits = family.draw(len(parents), generator)
    parts = [
        family.apply(parents.inputs[rows], edits.select(rows), parents.lengths[rows])
        for rows in torch.arange(len(parents)).split(EDITED_AT_A_TIME)
        if len(rows)
    ]
    return edits, torch.cat([parents.inputs[:0], *parts])


def edited_proposal(parents: SequenceBatch, failure: Tensor, context: RepairContext) -> Proposal:
    """Return every parent changed by an edit of its own, unselected.

    Args:
        parents: n samples.
        failure: (n,) row of the failure that each is meant for.
        context: of the round.
    """
    generator = torch_generator(context.seed, "edits")
    edits, inputs = edit_each(parents, context, generator)
    return unjudged(parents, inputs, failure, edits.to_list())


def more_often(
    own: Tensor, times: int, failures: Tensor, context: RepairContext, budget: int
) -> Proposal:
    """Return copies that let a new network see samples so many times as often as others.

    Args:
        own: (n,) int64 samples that are copied.
        times: how much more often they are to be seen.
        failures: (m,) rows of those that the copies are meant for.
        context: of the round.
        budget: copies per failure of the round at most.
    """
    n = min(n_copies(len(own), context, times), context.most(budget))
    if n == 0:
        return Proposal.empty(context)
    generator = torch_generator(context.seed, "copies of the group")
    parents = context.fetch(own[spread(len(own), n, generator)])
    return copies_of(parents, failures[torch.arange(n) % len(failures)])


def n_copies(n_own: int, context: RepairContext, times: int) -> int:
    """Return how many copies let a new network see samples so many times as often as others.

    Its first epochs are as long as the fit split. Copies take the place of originals there, which
    are drawn of the fit and the repair split.

    Args:
        n_own: samples that are copied.
        context: of the round.
        times: how much more often they are to be seen.
    """
    n_fit = len(context.originals)
    n_all = n_fit + len(context.repair)
    more = (times - 1) * n_own
    return round(more * n_fit / (n_all + more))


def copies_of(parents: SequenceBatch, failure: Tensor) -> Proposal:
    """Return training samples once more, which augmentation edits as it does themselves."""
    made = unjudged(parents, parents.inputs, failure, [IDENTITY] * len(failure))
    return replace(made, region=torch.full_like(failure, COPY))


def unjudged(
    parents: SequenceBatch, inputs: Tensor, failure: Tensor, edits: list[Edit]
) -> Proposal:
    """Return samples of which it is not known what the network makes of them."""
    nothing_known = torch.zeros(len(failure), dtype=torch.bool)
    return Proposal(
        inputs, parents.lengths, parents.label, parents.index, failure, edits, nothing_known
    )


def spread(n_pool: int, n: int, generator: torch.Generator) -> Tensor:
    """Return (n,) rows of a pool at random, each as often as any other or once more."""
    whole = [torch.randperm(n_pool, generator=generator) for _ in range(-(-n // n_pool))]
    return torch.cat(whole)[:n]
