"""Batches straight from tensors: one fetch per batch, never a Python call per sample."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from rnnrepair.seeding import torch_generator
from rnnrepair.traces import SequenceBatch


class EpochBatches(Sampler[Tensor]):
    """Batches of indices; the order depends on the seed and the epoch alone.

    So a resumed run sees what an uninterrupted one sees, whatever else has drawn random numbers.
    Lightning calls ``set_epoch``.
    """

    def __init__(
        self,
        index: Tensor,
        batch_size: int,
        *,
        lengths: Tensor | None = None,
        bucket_batches: int = 1,
        shuffle: bool,
        seed: int = 0,
    ) -> None:
        """Set up the batches.

        Args:
            index: (n,).
            batch_size: indices a batch.
            lengths: (n,) steps of each, for bucketing.
            bucket_batches: batches drawn at a time and sorted by length; 1 for no bucketing.
            shuffle: draw a new order every epoch.
            seed: of the order.
        """
        self.index = index
        self.batch_size = batch_size
        # Where all lengths are equal there is nothing to sort.
        several = lengths is not None and len(lengths) > 0 and bool((lengths != lengths[0]).any())
        self.lengths = lengths if several and bucket_batches > 1 else None
        self.bucket_batches = bucket_batches
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.index) // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shuffle:
            yield from self.index.split(self.batch_size)
            return
        generator = torch_generator(self.seed, "order", self.epoch)
        order = torch.randperm(len(self.index), generator=generator)
        if self.lengths is None:
            yield from self.index[order].split(self.batch_size)
            return
        # Sequences of like length share a batch: sorted within buckets drawn at random, and the
        # batches in random order again, so that short ones do not come first.
        buckets = order.split(self.batch_size * self.bucket_batches)
        order = torch.cat([b[self.lengths[b].argsort(stable=True)] for b in buckets])
        batches = order.split(self.batch_size)
        for number in torch.randperm(len(batches), generator=generator).tolist():
            yield self.index[batches[number]]


class FetchedBatches(Dataset[SequenceBatch]):
    """A data set whose items are whole batches, fetched by their (b,) indices."""

    def __init__(self, fetch: Callable[[Tensor], SequenceBatch]) -> None:
        """Set up the data set around ``fetch``."""
        self.fetch = fetch

    def __getitem__(self, index: Tensor) -> SequenceBatch:
        return self.fetch(index)


def batch_loader(
    fetch: Callable[[Tensor], SequenceBatch],
    index: Tensor,
    batch_size: int,
    *,
    lengths: Tensor | None = None,
    bucket_batches: int = 1,
    shuffle: bool = False,
    seed: int = 0,
) -> "DataLoader[SequenceBatch]":
    """Return a loader that fetches one whole batch a time (see ``EpochBatches``)."""
    batches = EpochBatches(
        index,
        batch_size,
        lengths=lengths,
        bucket_batches=bucket_batches,
        shuffle=shuffle,
        seed=seed,
    )
    # A loader draws a number whenever it is iterated. Without a generator of its own it would
    # take it from the global stream, and Lightning iterates once less after a resume.
    generator = torch.Generator()
    return DataLoader(FetchedBatches(fetch), batch_size=None, sampler=batches, generator=generator)
