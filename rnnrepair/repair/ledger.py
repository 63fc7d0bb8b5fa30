"""The ledger: a row for every injected sample, from which the sample can be rebuilt."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from rnnrepair.abstraction import AbstractModel
from rnnrepair.atomic import write_file
from rnnrepair.edits import Edit
from rnnrepair.influence import Evidence
from rnnrepair.repair.proposal import Proposal
from rnnrepair.sequences import SampleNames


@dataclass(frozen=True)
class LedgerRow:
    """Where an injected sample comes from and what it is for.

    Attributes:
        new_id: index of the sample in the training set.
        parent_id: index of the sample it was made from.
        failure_id: index of the failure it is meant to repair.
        strategy: who proposed it.
        label: its class.
        edit: kind of edit.
        parameters: of the edit, as JSON.
        step: step of the failure, from 0, after which its prediction leaves the truth for good.
        state_from: abstract state of the failure before that step.
        state_to: and after it; the transition aimed at.
        epoch: completed epochs at the time of injection.
        seed: of the round.
        context: transitions, tokens included, that parent and failure have in common where the
            sample was edited; -1 where the strategy looks for none. 0 is no guidance.
        parent_name: what the parent is called where it came from.
        failure_name: the same of the failure.
    """

    new_id: int
    parent_id: int
    failure_id: int
    strategy: str
    label: int
    edit: str
    parameters: str
    step: int
    state_from: int
    state_to: int
    epoch: int
    seed: int
    context: int = -1
    parent_name: str = ""
    failure_name: str = ""

    def as_edit(self) -> Edit:
        """Return the edit that makes the sample from its parent."""
        return Edit(self.edit, json.loads(self.parameters))


def ledger_rows(
    proposal: Proposal,
    new_id: Tensor,
    evidence: Evidence,
    model: AbstractModel,
    strategy: str,
    epoch: int,
    seed: int,
    names: SampleNames | None = None,
) -> list[LedgerRow]:
    """Return the rows of the samples of one round."""
    failures, step = evidence.failures, evidence.step
    names = names or SampleNames()
    parents, failed = names.of(proposal.parent), names.of(failures.index)
    place = failures.offsets[:-1] + step
    state_to = failures.state[place].long()
    state_from = failures.state[(place - 1).clamp_min(0)].long()
    state_from[step == 0] = model.start
    return [
        LedgerRow(
            new_id=int(new_id[i]),
            parent_id=int(proposal.parent[i]),
            failure_id=int(failures.index[f]),
            strategy=strategy,
            label=int(proposal.label[i]),
            edit=edit.name,
            parameters=json.dumps(edit.parameters),
            step=int(step[f]),
            state_from=int(state_from[f]),
            state_to=int(state_to[f]),
            epoch=epoch,
            seed=seed,
            context=int(proposal.context[i]),
            parent_name=str(parents[i]),
            failure_name=str(failed[f]),
        )
        for i, (f, edit) in enumerate(zip(proposal.failure.tolist(), proposal.edits, strict=True))
    ]


def write_ledger(rows: Sequence[LedgerRow], path: Path) -> None:
    """Write the whole ledger as CSV; the file is replaced in one step."""
    with write_file(path) as draft, draft.open("w", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(LedgerRow)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_ledger(path: Path) -> list[LedgerRow]:
    """Read a ledger that ``write_ledger`` wrote."""
    kinds: dict[str, Any] = {f.name: f.type for f in fields(LedgerRow)}
    with path.open(newline="") as file:
        return [
            LedgerRow(**{name: kinds[name](value) for name, value in row.items()})
            for row in csv.DictReader(file)
        ]
