"""Training on a user's own data set: through ``DatasetDataModule``, and through his loader."""

import time
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset, Subset

from benchmarks.measure import Measure, at_most, in_turns
from benchmarks.workbench import Workbench
from rnnrepair.datamodules import DatasetDataModule
from rnnrepair.sequences import SequenceBatch

# Items of the data set: an epoch of them takes seconds.
N_ITEMS = 12_000


class Digits(Dataset[tuple[Tensor, int]]):
    """A plain data set of items ``(x, y)``."""

    def __init__(self, batch: SequenceBatch) -> None:
        """Take sequences with their labels."""
        self.inputs, self.label = batch.inputs[:N_ITEMS], batch.label[:N_ITEMS].tolist()

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.inputs[index], self.label[index]


def measure(bench: Workbench) -> list[Measure]:
    """Compare the seconds of an epoch of the same items, network, optimizer and batch size."""
    digits, batch_size = Digits(bench.training_batch()), bench.cfg.datamodule.batch_size
    data = DatasetDataModule(digits, digits, batch_size=batch_size, progress=False)
    data.setup()
    own = Subset(digits, data.indices("fit").tolist())
    seconds = in_turns(
        {
            "module": lambda: epoch_s(bench, data.train_dataloader()),
            "loader": lambda: epoch_s(bench, DataLoader(own, batch_size, shuffle=True)),
        },
        bench.options.repeats,
    )
    ours, his = (min(seconds[name]) for name in ("module", "loader"))
    return [
        Measure(
            "training on a user's data set",
            ours / his,
            "x",
            f"an epoch of {len(own):,} items in {ours:.2f} s, by a DataLoader alone in {his:.2f} s",
            at_most(1.05),
            seconds,
        )
    ]


def epoch_s(bench: Workbench, loader: Iterable[Any]) -> float:
    """Train a new network on the batches of a loader and return the seconds."""
    model = bench.make_model()
    optimizer = model.make_optimizer([*model.rnn.parameters(), *model.head.parameters()])
    torch.manual_seed(0)
    start = time.perf_counter()
    for inputs, label in loader:
        optimizer.zero_grad()
        cross_entropy(model.head(model.rnn(inputs)[0][:, -1]), label).backward()
        optimizer.step()
    return time.perf_counter() - start
