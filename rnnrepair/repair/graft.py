"""Edits of token sequences: grafts of a failure's words, parts, words in the place of others."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.edits import Edit
from rnnrepair.repair.proposal import Proposal, RepairContext

GRAFT = "graft"
PART = "part"
WORD = "word"
TEXT_EDITS = frozenset({GRAFT, PART, WORD})


def graft(at: int, first: int, end: int, resume: int) -> Edit:
    """Return the edit ``parent[:at] + failure[first:end] + parent[resume:]``.

    ``resume=at`` inserts, ``at=resume=0`` sets the piece before the whole parent,
    ``at=resume=len(parent)`` behind it.
    """
    return Edit(GRAFT, {"at": at, "first": first, "end": end, "resume": resume})


def part(first: int, end: int) -> Edit:
    """Return the edit ``parent[first:end]``."""
    return Edit(PART, {"first": first, "end": end})


def word(at: int, token: int) -> Edit:
    """Return the edit that puts a token in the place of the parent's at step ``at``."""
    return Edit(WORD, {"at": at, "token": token})


def grafted(parent: Tensor, failure: Tensor, edit: Edit) -> Tensor:
    """Return the (T,) tokens that an edit, or a copy, makes of the tokens of parent and failure."""
    if edit.name not in TEXT_EDITS:
        return parent
    values = {name: int(value) for name, value in edit.parameters.items()}
    if edit.name == PART:
        return parent[values["first"] : values["end"]]
    at = values["at"]
    if edit.name == WORD:
        return torch.cat([parent[:at], parent.new_tensor([values["token"]]), parent[at + 1 :]])
    return torch.cat(
        [parent[:at], failure[values["first"] : values["end"]], parent[values["resume"] :]]
    )


def marked(edit: Edit) -> tuple[int, int]:
    """Return first step and end of what is foreign to the sample's parent, (0, 0) for nothing."""
    if edit.name == WORD:
        return int(edit.parameters["at"]), int(edit.parameters["at"]) + 1
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
        edit: a graft, a part, a word or a copy.
        context: transitions that parent and failure have in common there, -1 where not looked for.
        label: its class; None for that of its parent.
    """

    failure: int
    parent: int
    edit: Edit
    context: int = -1
    label: int | None = None


def proposal_of(picks: Sequence[Pick], context: RepairContext) -> Proposal:
    """Make the samples: copies of their parents with the edits, with labels as picked."""
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
    label = [
        of_parent if pick.label is None else pick.label
        for of_parent, pick in zip(parents.label.tolist(), picks, strict=True)
    ]
    return Proposal(
        torch.nn.utils.rnn.pad_sequence(made, batch_first=True),
        lengths,
        torch.tensor(label),
        parents.index,
        failure,
        [pick.edit for pick in picks],
        torch.zeros(len(picks), dtype=torch.bool),
        context=torch.tensor([pick.context for pick in picks]),
    )
