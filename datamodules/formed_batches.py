"""Batches in the form of the user: his items, collated by his function."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from rnnrepair.datamodules.batching import BatchPlan
from rnnrepair.datamodules.collating import Collate
from rnnrepair.datamodules.epoch_edits import EpochEdits
from rnnrepair.datamodules.read_sequences import Kept, ReadSequences
from rnnrepair.datamodules.sample_format import Ends
from rnnrepair.datamodules.store import Store
from rnnrepair.sequences import SequenceBatch


@dataclass(frozen=True)
class Forming:
    """Makes a user's items and batches of sequences, and of their indices.

    Attributes:
        base: his data sets.
        store: those, and the changes of them.
        collate: makes a batch of items.
    """

    base: ReadSequences
    store: Store
    collate: Collate

    def items(self, index: Tensor) -> list[Any]:
        """Return the items with these indices: his own, and those that are injected or relabelled.

        An injected one is the item that it was made from with another sequence.
        """
        origin = self.store.origin_of(index)
        found = self.base.items.many(origin.tolist())
        changed = (index >= len(self.base)) | (
            self.store.label_of(index) != self.base.label[origin].long()
        )
        rows = changed.nonzero()[:, 0]
        if len(rows):
            batch = self.store.fetch(index[rows])
            made = self._written([found[row] for row in rows.tolist()], batch, whole=False)
            for row, item in zip(rows.tolist(), made, strict=True):
                found[row] = item
        return found

    def batch(self, sequences: SequenceBatch) -> tuple[Any, SequenceBatch]:
        """Return sequences in the user's form, and as an analysis reads that.

        Args:
            sequences: with indices of the data; their contents may be any.
        """
        templates = self.base.items.many(self.store.origin_of(sequences.index).tolist())
        items = self._written(templates, sequences, whole=True)
        kept = Kept.of([self.base.form.read(item) for item in items], self.base.form)
        rows = torch.arange(len(items))
        inputs, lengths = kept.sequences.take(rows)
        static, beside = kept.further(rows, inputs.shape[1])
        read = SequenceBatch(sequences.index, inputs, lengths, sequences.label, static, beside)
        return self.collate(items), read

    def _written(self, templates: list[Any], batch: SequenceBatch, *, whole: bool) -> list[Any]:
        """Write sequences into items; further inputs too, where the whole batch counts."""
        form = self.base.form
        fixed = form.width and form.ends is Ends.WHOLE
        items = []
        for row, template in enumerate(templates):
            length = batch.inputs.shape[1] if fixed else int(batch.lengths[row])
            further: dict[str, Any] = {}
            if whole:
                further = {
                    "static": {name: values[row] for name, values in batch.static.items()},
                    "beside": {name: v[row, :length] for name, v in batch.beside.items()},
                }
            sequence, label = batch.inputs[row, :length], int(batch.label[row])
            items.append(form.write(template, sequence, label, **further))
        return items


class FormedBatches(Dataset[Any]):
    """A data set whose items are whole batches in the user's form."""

    def __init__(self, forming: Forming) -> None:
        """Take what forms them."""
        self.forming = forming

    def __getitem__(self, plan: BatchPlan) -> Any:
        return self.forming.collate(self.forming.items(plan.index))


class EditedFormedBatches(FormedBatches):
    """The same, as their epoch sees them."""

    def __init__(self, forming: Forming, edits: EpochEdits) -> None:
        """Take what forms the batches, and what edits their sequences before."""
        super().__init__(forming)
        self.edits = edits

    def __getitem__(self, plan: BatchPlan) -> Any:
        sequences = self.forming.store.fetch(plan.index)
        return self.forming.batch(self.edits(sequences, plan))[0]
