"""Batches straight from tensors: one fetch per batch, never a Python call per sample."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import SequenceBatch


@dataclass(frozen=True)
class BatchPlan:
    """What a batch is made of.

    Attributes:
        index: (b,) indices of its sequences.
        epoch: completed epochs.
        number: of the batch in its epoch.
    """

    index: Tensor
    epoch: int
    number: int


class EpochBatches(Sampler[BatchPlan]):
    """Plans of batches; the order depends on the seed and the epoch alone.

    So a resumed run sees what an uninterrupted one sees, whatever else has drawn random numbers.
    Lightning calls ``set_epoch``.

    Attributes:
        drawn: see ``TellsBatches``; workers make batches in the order in which they are drawn here.
    """

    def __init__(
        self,
        index: Tensor,
        batch_size: int,
        *,
        n_originals: int | None = None,
        injected: Tensor | None = None,
        weight: Tensor | None = None,
        chance: Tensor | None = None,
        lengths: Tensor | None = None,
        bucket_batches: int = 1,
        shuffle: bool = False,
        seed: int = 0,
    ) -> None:
        """Plan the batches.

        Args:
            index: (n,) original sequences.
            batch_size: sequences a batch.
            n_originals: original sequences of an epoch, drawn anew in each: none is drawn twice
                before all were drawn once. All of them, once, where None.
            injected: (m,) further sequences, each once an epoch.
            weight: (n,) probabilities that an epoch draws from each original; all where None.
            chance: (n + m,) weights by which the same number of all of them is drawn instead, with
                replacement.
            lengths: (n + m,) steps of each, for bucketing.
            bucket_batches: batches drawn at a time and sorted by length; 1 for no bucketing.
            shuffle: draw a new order every epoch.
            seed: of the order.
        """
        self.originals = len(index)
        self.n_originals = len(index) if n_originals is None else n_originals
        self.index = index if injected is None else torch.cat([index, injected])
        self.weight = weight
        self.chance = chance
        self.batch_size = batch_size
        # Where all lengths are equal there is nothing to sort.
        several = lengths is not None and len(lengths) > 0 and bool((lengths != lengths[0]).any())
        self.lengths = lengths if several and bucket_batches > 1 else None
        self.bucket_batches = bucket_batches
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0
        self.drawn: list[Tensor] = []

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        n_injected = len(self.index) - self.originals
        return -(-(self.n_originals + n_injected) // self.batch_size)

    def __iter__(self) -> Iterator[BatchPlan]:
        self.drawn = drawn = []
        for number, rows in enumerate(self._batches()):
            drawn.append(self.index[rows])
            yield BatchPlan(drawn[-1], self.epoch, number)

    def _batches(self) -> Iterator[Tensor]:
        """Yield the (b,) rows of ``index`` that make each batch."""
        if not self.shuffle:
            yield from torch.arange(len(self.index)).split(self.batch_size)
            return
        generator = torch_generator(self.seed, "order", self.epoch)
        rows = self._rows()
        order = rows[torch.randperm(len(rows), generator=generator)]
        if self.lengths is None:
            yield from order.split(self.batch_size)
            return
        # Sequences of like length share a batch: sorted within buckets drawn at random, and the
        # batches in random order again, so that short ones do not come first.
        buckets = order.split(self.batch_size * self.bucket_batches)
        order = torch.cat([b[self.lengths[b].argsort(stable=True)] for b in buckets])
        batches = order.split(self.batch_size)
        for number in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[number]

    def _rows(self) -> Tensor:
        """Return the rows of the originals that this epoch sees, and of all that is injected."""
        candidates = self._candidates()
        if self.chance is not None:
            return self._by_chance(candidates)
        generator = torch_generator(self.seed, "originals", self.epoch)
        rounds, rest = divmod(self.n_originals, max(len(candidates), 1))
        drawn = [candidates] * rounds
        if rest:
            chosen = torch.randperm(len(candidates), generator=generator)[:rest]
            drawn.append(candidates[chosen])
        return torch.cat([*drawn, torch.arange(self.originals, len(self.index))])

    def _by_chance(self, candidates: Tensor) -> Tensor:
        injected = torch.arange(self.originals, len(self.index))
        rows = torch.cat([candidates, injected])
        generator = torch_generator(self.seed, "chances", self.epoch)
        chance = self.chance[rows].double()  # type: ignore[index]  # only asked where there is one
        n_drawn = self.n_originals + len(injected)
        return rows[torch.multinomial(chance, n_drawn, replacement=True, generator=generator)]

    def _candidates(self) -> Tensor:
        """Return the rows of the originals that this epoch draws from."""
        rows = torch.arange(self.originals)
        if self.weight is None:
            return rows
        generator = torch_generator(self.seed, "weights", self.epoch)
        chance = torch.rand(len(rows), dtype=torch.float64, generator=generator)
        kept = rows[chance < self.weight]
        return kept if len(kept) else rows


class FetchedBatches(Dataset[SequenceBatch]):
    """A data set whose items are whole batches, fetched by their plans."""

    def __init__(self, fetch: Callable[[Tensor], SequenceBatch]) -> None:
        """Take the function that fetches sequences by their (b,) indices."""
        self.fetch = fetch

    def __getitem__(self, plan: BatchPlan) -> SequenceBatch:
        return self.fetch(plan.index)


def batch_loader(batches: Dataset[Any], plans: EpochBatches, **options: Any) -> DataLoader[Any]:
    """Return a loader of whole batches by their plans; options are those of a ``DataLoader``."""
    # A loader draws a number whenever it is iterated. Without a generator of its own it would
    # take it from the global stream, and Lightning iterates once less after a resume.
    generator = torch.Generator()
    return DataLoader(
        batches,
        batch_size=None,
        sampler=plans,
        generator=generator,
        collate_fn=_as_made,
        **options,
    )


def _as_made(batch: Any) -> Any:
    """Keep a batch as it is: torch would make tensors of a user's arrays."""
    return batch
