"""Edited copies of training samples."""

import torch
from torch import Tensor

from rnnrepair.edits import Edit, EditBatch, EditFamily
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import SequenceBatch

# Sequences edited at a time: what a batch of them needs stays in the processor's cache.
EDITED_AT_A_TIME = 500


def edit_all(parents: SequenceBatch, edits: EditBatch, family: EditFamily) -> Tensor:
    """Return (n, T, ...) inputs: parent i changed by edit i."""
    parts = [
        family.apply(parents.inputs[rows], edits.select(rows), parents.lengths[rows])
        for rows in torch.arange(len(parents)).split(EDITED_AT_A_TIME)
        if len(rows)
    ]
    return torch.cat([parents.inputs[:0], *parts])


def edited_proposal(parents: SequenceBatch, failure: Tensor, context: RepairContext) -> Proposal:
    """Return every parent changed by an edit of its own, unselected.

    Args:
        parents: n samples.
        failure: (n,) row of the failure that each is meant for.
        context: of the round.
    """
    edits = context.edits.draw(len(parents), torch_generator(context.seed, "edits"))
    inputs = edit_all(parents, edits, context.edits)
    return unjudged(parents, inputs, failure, edits.to_list())


def unjudged(
    parents: SequenceBatch, inputs: Tensor, failure: Tensor, edits: list[Edit]
) -> Proposal:
    """Return samples of which it is not known what the network makes of them."""
    nothing_known = torch.zeros(len(failure), dtype=torch.bool)
    return Proposal(
        inputs, parents.lengths, parents.label, parents.index, failure, edits, nothing_known
    )
