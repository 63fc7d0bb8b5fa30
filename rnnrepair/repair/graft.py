"""Edits of token sequences: a piece of a failure, set into a training sample."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.edits import Edit
from rnnrepair.repair.proposal import Proposal, RepairContext

GRAFT = "graft"


def graft(at: int, first: int, end: int, resume: int) -> Edit:
    """Return the edit ``parent[:at] + failure[first:end] + parent[resume:]``.

    ``resume=at`` inserts, ``at=resume=0`` sets the piece before the whole parent,
    ``at=resume=len(parent)`` behind it.
    """
    return Edit(GRAFT, {"at": at, "first": first, "end": end, "resume": resume})


def grafted(parent: Tensor, failure: Tensor, edit: Edit) -> Tensor:
    """Return the (T,) tokens that a graft, or a copy, makes of the tokens of parent and failure."""
    if edit.name != GRAFT:
        return parent
    at, first, end, resume = (int(edit.parameters[k]) for k in ("at", "first", "end", "resume"))
    return torch.cat([parent[:at], failure[first:end], parent[resume:]])


def marked(edit: Edit) -> tuple[int, int]:
    """Return first step and end of the failure's piece in the sample, (0, 0) without one."""
    if edit.name != GRAFT:
        return 0, 0
    at, length = int(edit.parameters["at"]), edit.parameters["end"] - edit.parameters["first"]
    return at, at + int(length)


@dataclass(frozen=True)
class Pick:
    """A sample to make.

    Attributes:
        failure: row of the failure it is meant for.
        parent: index of the sample it is made from.
        edit: a graft or a copy.
        context: transitions that parent and failure have in common there, -1 where not looked for.
    """

    failure: int
    parent: int
    edit: Edit
    context: int = -1


def proposal_of(picks: Sequence[Pick], context: RepairContext) -> Proposal:
    """Make the samples: copies of their parents with the grafts, and with the parents' labels."""
    if not picks:
        return Proposal.empty(context)
    failure = torch.tensor([pick.failure for pick in picks])
    parents = context.fetch(torch.tensor([pick.parent for pick in picks]))
    failures = context.fetch(context.evidence.failures.index).sequences()
    made = [
        grafted(parent, failures[pick.failure], pick.edit)
        for parent, pick in zip(parents.sequences(), picks, strict=True)
    ]
    lengths = torch.tensor([len(tokens) for tokens in made])
    return Proposal(
        torch.nn.utils.rnn.pad_sequence(made, batch_first=True),
        lengths,
        parents.label,
        parents.index,
        failure,
        [pick.edit for pick in picks],
        torch.zeros(len(picks), dtype=torch.bool),
        context=torch.tensor([pick.context for pick in picks]),
    )
