"""What training edits anew in every epoch."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from rnnrepair.datamodules.augmentation import Augmentation
from rnnrepair.datamodules.batching import BatchPlan, FetchedBatches
from rnnrepair.datamodules.peers import Peers
from rnnrepair.datamodules.store import Store
from rnnrepair.edits import apply_edits
from rnnrepair.edits.sweeps import drawn_in
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import COPY, DataSpec, SequenceBatch


@dataclass(frozen=True)
class EpochEdits:
    """Augments original sequences, and draws injected ones anew: what is edited, and how.

    What is drawn depends on seed, epoch and batch alone, so that a resumed run trains on what an
    uninterrupted one does.

    Attributes:
        store: sequences and their changes.
        spec: of the data.
        augmentation: edits a share of the originals and of their copies; None for none. Other
            injected sequences are left out: a repair has chosen their edits, and an edit of an edit
            can leave the limits.
        seed: of the run.
        originals: (n,) indices of the originals that training draws from.
        keeps_parents: whether more belongs to a sample than its sequence, so that it stays with the
            original that it was made from.
    """

    store: Store
    spec: DataSpec
    augmentation: Augmentation | None
    seed: int
    originals: Tensor
    keeps_parents: bool = False

    def __call__(self, batch: SequenceBatch, plan: BatchPlan) -> SequenceBatch:
        """Return the sequences of a plan as its epoch sees them."""
        if self.augmentation is not None:
            generator = torch_generator(self.seed, "augmentation", plan.epoch, plan.number)
            original = plan.index < len(self.store.base)
            original |= self.store.region_of(plan.index) == COPY
            batch = self.augmentation(batch, original, generator)
        return self._redrawn(batch, plan)

    def _redrawn(self, batch: SequenceBatch, plan: BatchPlan) -> SequenceBatch:
        region = self.store.region_of(plan.index)
        used = region[region >= 0].unique().tolist()
        if not used:
            return batch
        generator = torch_generator(self.seed, "redrawn", plan.epoch, plan.number)
        inputs = batch.inputs.clone()
        parents = self._parents(batch, plan.index, generator)
        for number in used:
            rows = (region == number).nonzero()[:, 0]
            origin = self.store.fetch(parents[rows])
            edits = drawn_in(self.store.regions[number], len(rows), self.spec, generator)
            edited = apply_edits(origin.inputs, edits, origin.lengths)
            # An edit keeps the steps of its sequence, so the padding behind them stays.
            inputs[rows, : edited.shape[1]] = edited
        return replace(batch, inputs=inputs)

    def _parents(self, batch: SequenceBatch, index: Tensor, generator: torch.Generator) -> Tensor:
        """Return the (b,) originals that are edited: others of the same class and length.

        Where more belongs to a sample than its sequence, it stays with its parent.
        """
        recorded = self.store.origin_of(index)
        if self.keeps_parents or batch.static or batch.beside:
            return recorded
        return self._peers.draw(batch.label, batch.lengths, recorded, generator)

    @cached_property
    def _peers(self) -> Peers:
        # Nothing is made of those whose label a repair has changed, or doubts: it may be wrong.
        doubted = torch.cat([self.store.relabelled, self.store.untrusted])
        index = self.originals[~torch.isin(self.originals, doubted)]
        weight = self.store.weight_of(index)
        if weight is not None:
            index = index[weight == 1]
        return Peers(index, self.store.label_of(index), self.store.lengths_of(index))


class EditedBatches(FetchedBatches):
    """Whole batches as their epoch sees them."""

    def __init__(self, fetch: Callable[[Tensor], SequenceBatch], edits: EpochEdits) -> None:
        """Take the function that fetches sequences by their (b,) indices, and what edits them."""
        super().__init__(fetch)
        self.edits = edits

    def __getitem__(self, plan: BatchPlan) -> SequenceBatch:
        return self.edits(super().__getitem__(plan), plan)
