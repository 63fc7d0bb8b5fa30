"""The ledger: a row for every sample that a repair has injected or mended.

An injected sample can be rebuilt from its row, a mended one undone.
"""

import csv
import io
import json
from collections.abc import Container, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rnnrepair.abstraction import AbstractModel
from rnnrepair.atomic import write_file
from rnnrepair.edits import Edit
from rnnrepair.influence import Evidence
from rnnrepair.repair.mend import Action
from rnnrepair.repair.proposal import Proposal
from rnnrepair.sequences import SampleNames


@dataclass(frozen=True)
class LedgerRow:
    """What was done with one sample, and what for.

    Of a sample that was mended and not made, ``new_id`` and ``parent_id`` are the sample itself,
    and what belongs to edits and failures is empty, 0 or -1.

    Attributes:
        new_id: index of the sample in the training set.
        parent_id: index of the sample it was made from.
        failure_id: index of the failure it is meant to repair.
        strategy: who proposed it.
        label: its class, from now on.
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
        action: see ``Action``.
        round: that it belongs to, from 1.
        was: class of a mended sample before.
        weight: probability that an epoch sees a mended sample.
        score: how suspicious that was.
        taken_back: completed epochs when its round was taken back, -1 while it holds.
        again: 1 where a mend was taken back for what others have done, and may be made again.
        redrawn: 1 where every epoch draws another edit of the kind, of another original of the
            class and length: the row has the first.
        parent_columns: what the first columns of the user's data say of the parent.
        failure_columns: the same of the failure.
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
    action: str = Action.ADD.value
    round: int = 1
    was: int = -1
    weight: float = 1.0
    score: float = 0.0
    taken_back: int = -1
    again: int = 0
    redrawn: int = 0
    parent_columns: str = ""
    failure_columns: str = ""

    @property
    def holds(self) -> bool:
        """Whether the data are as the row says."""
        return self.taken_back < 0

    @property
    def settled(self) -> bool:
        """Whether the row is of a mend that holds, or that is never made again."""
        return self.action != Action.ADD and not self.again

    @property
    def injected(self) -> bool:
        """Whether the row is of a sample that was made and is trained on."""
        return self.holds and self.action == Action.ADD

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
    number: int = 1,
) -> list[LedgerRow]:
    """Return the rows of the samples of round ``number``: those made, then those mended."""
    failures, step = evidence.failures, evidence.step
    names = names or SampleNames()
    parents, failed = names.of(proposal.parent), names.of(failures.index)
    parent_columns, failed_columns = (
        names.told_of(index) for index in (proposal.parent, failures.index)
    )
    place = failures.offsets[:-1] + step
    state_to = failures.state[place].long()
    state_from = failures.state[(place - 1).clamp_min(0)].long()
    state_from[step == 0] = model.start
    made = [
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
            round=number,
            redrawn=int(proposal.region[i] >= 0),
            parent_columns=parent_columns[i],
            failure_columns=failed_columns[f],
        )
        for i, (f, edit) in enumerate(zip(proposal.failure.tolist(), proposal.edits, strict=True))
    ]
    mended = torch.tensor([mend.index for mend in proposal.mends], dtype=torch.int64)
    return made + [
        LedgerRow(
            new_id=mend.index,
            parent_id=mend.index,
            failure_id=-1,
            strategy=strategy,
            label=mend.label,
            edit="",
            parameters="{}",
            step=-1,
            state_from=-1,
            state_to=-1,
            epoch=epoch,
            seed=seed,
            parent_name=str(name),
            action=mend.action.value,
            round=number,
            was=mend.was,
            weight=mend.weight,
            score=mend.score,
            parent_columns=columns,
        )
        for mend, name, columns in zip(
            proposal.mends, names.of(mended), names.told_of(mended), strict=True
        )
    ]


def taken_back(
    rows: Sequence[LedgerRow], first: int, epoch: int, innocent: Container[int] = ()
) -> list[LedgerRow]:
    """Return the ledger after round ``first`` and all later ones were taken back.

    Args:
        rows: before.
        first: number of the round.
        epoch: completed ones.
        innocent: numbers of rounds whose mends are not to blame.
    """
    return [
        _undone(row, epoch, innocent) if row.holds and row.round >= first else row for row in rows
    ]


def _undone(row: LedgerRow, epoch: int, innocent: Container[int]) -> LedgerRow:
    again = row.action != Action.ADD and row.round in innocent
    return replace(row, taken_back=epoch, again=int(again))


def rounds_held(rows: Sequence[LedgerRow]) -> list[int]:
    """Return the numbers of the rounds that have changed the data and hold, ascending."""
    return sorted({row.round for row in rows if row.holds})


def ledger_text(rows: Sequence[LedgerRow]) -> str:
    """Return the whole ledger as CSV.

    Without columns of the user's there is nothing to tell of them.
    """
    told = any(row.parent_columns or row.failure_columns for row in rows)
    names = [f.name for f in fields(LedgerRow) if told or not f.name.endswith("_columns")]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(map(vars, rows))
    return text.getvalue()


def ledger_of(text: str) -> list[LedgerRow]:
    """Return the rows of what ``ledger_text`` returned."""
    kinds: dict[str, Any] = {f.name: f.type for f in fields(LedgerRow)}
    # By default csv takes no field above 131,072 characters, and a name may be a whole text.
    usual = csv.field_size_limit(len(text) + 1)
    try:
        return [
            LedgerRow(**{name: kinds[name](value) for name, value in row.items()})
            for row in csv.DictReader(io.StringIO(text, newline=""))
        ]
    finally:
        csv.field_size_limit(usual)


def write_ledger(rows: Sequence[LedgerRow], path: Path) -> None:
    """Write the whole ledger as CSV; the file is replaced in one step."""
    with write_file(path) as draft:
        draft.write_text(ledger_text(rows), "utf-8", newline="")


def read_ledger(path: Path) -> list[LedgerRow]:
    """Read a ledger that ``write_ledger`` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return ledger_of(file.read())
