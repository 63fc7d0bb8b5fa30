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

    def __init__(self, index: Tensor, batch_size: int, *, shuffle: bool, seed: int = 0) -> None:
        """Set up the batches of (n,) indices."""
        self.index = index
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.index) // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        order = self.index
        if self.shuffle:
            generator = torch_generator(self.seed, "order", self.epoch)
            order = order[torch.randperm(len(order), generator=generator)]
        yield from order.split(self.batch_size)


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
    shuffle: bool = False,
    seed: int = 0,
) -> "DataLoader[SequenceBatch]":
    """Return a loader that fetches one whole batch a time."""
    batches = EpochBatches(index, batch_size, shuffle=shuffle, seed=seed)
    # A loader draws a number whenever it is iterated. Without a generator of its own it would
    # take it from the global stream, and Lightning iterates once less after a resume.
    generator = torch.Generator()
    return DataLoader(FetchedBatches(fetch), batch_size=None, sampler=batches, generator=generator)
