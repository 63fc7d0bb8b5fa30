"""An injected sample, made again from its row of the ledger."""

from typing import Protocol

import torch
from torch import Tensor

from rnnrepair.edits import IDENTITY, EditBatch, apply_edits
from rnnrepair.errors import ConfigurationError
from rnnrepair.repair.graft import TEXT_EDITS, grafted
from rnnrepair.repair.ledger import LedgerRow
from rnnrepair.repair.mend import Action
from rnnrepair.sequences import SequenceBatch


class Fetches(Protocol):
    """Data that give sequences by their indices."""

    def fetch(self, index: Tensor) -> SequenceBatch:
        """Return the sequences with these indices, in this order."""
        ...


def rebuild(row: LedgerRow, data: Fetches) -> Tensor:
    """Return the (T, F) features or (T,) tokens of an injected sample, bit for bit.

    Args:
        row: of the ledger.
        data: that hold its parent and its failure; they need not hold the sample itself.

    Raises:
        ConfigurationError: the row's kind of edit is not known, or it is of no injected sample.
    """
    if row.action != Action.ADD:
        raise ConfigurationError(
            f"row: expected one of an injected sample, got action {row.action!r} of sample "
            f"{row.new_id}, which is in the data as it came: data.fetch(...)."
        )
    edit = row.as_edit()
    (parent,) = data.fetch(torch.tensor([row.parent_id])).sequences()
    if edit.name == IDENTITY.name:
        return parent
    if edit.name in TEXT_EDITS:
        (failure,) = data.fetch(torch.tensor([row.failure_id])).sequences()
        return grafted(parent, failure, edit)
    return apply_edits(parent[None], EditBatch.of([edit]), torch.tensor([len(parent)]))[0]
