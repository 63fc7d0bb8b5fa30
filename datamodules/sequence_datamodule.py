"""Sequences in memory, with the four splits and a training set that takes repair samples."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.batching import batch_loader
from datamodules.splits import split_training
from rnnrepair.errors import ConfigurationError, DataError, IncompatibleCheckpointError
from rnnrepair.fingerprint import fingerprint_tensors
from rnnrepair.protocols import Split
from rnnrepair.traces import SequenceBatch

STATE_VERSION = 1


@dataclass(frozen=True)
class LoadedData:
    """What a data set gives to ``SequenceDataModule`` (n training and m test sequences).

    Attributes:
        inputs: (n + m, T, F) float32, training first.
        lengths: (n + m,) int64.
        label: (n + m,) int64.
        n_train: n.
        source: where the data came from, for the log and the summary.
    """

    inputs: Tensor
    lengths: Tensor
    label: Tensor
    n_train: int
    source: str


class SequenceDataModule(pl.LightningDataModule):
    """Base of the data modules; a subclass only says how its data are loaded.

    Samples are numbered: training 0 .. n - 1, test n .. n + m - 1, injected from there on. The
    number is the row in memory, so fetching is one gather.
    """

    num_classes: int

    def __init__(
        self,
        num_classes: int,
        batch_size: int = 128,
        eval_batch_size: int = 500,
        repair_share: float = 1 / 6,
        val_share: float = 1 / 12,
        seed: int = 0,
    ) -> None:
        """Set up splits and batches.

        Args:
            num_classes: C; labels must lie in 0 .. C - 1.
            batch_size: training sequences a step.
            eval_batch_size: sequences a step where nothing is learnt.
            repair_share: share of the training samples that supplies the failures to repair.
            val_share: share that chooses.
            seed: of the split and of the order of training.

        Raises:
            ConfigurationError: a batch size below 1.
        """
        super().__init__()
        for name, value in {"batch_size": batch_size, "eval_batch_size": eval_batch_size}.items():
            if value < 1:
                raise ConfigurationError(f"datamodule.{name} must be at least 1, got {value}.")
        self.num_classes = num_classes
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.repair_share = repair_share
        self.val_share = val_share
        self.seed = seed
        self.source = ""
        self.fingerprint = ""
        self._data: LoadedData | None = None
        self._splits: dict[str, Tensor] = {}
        self._inputs = self._lengths = self._label = torch.empty(0)

    @abstractmethod
    def load(self) -> LoadedData:
        """Load the whole data set; called once."""

    def setup(self, stage: str | None = None) -> None:
        """Load, check and split the data, once.

        Raises:
            DataError: NaN in the inputs, or labels or lengths out of range.
        """
        if self._data is not None:
            return
        data = self.load()
        _check(data, self.num_classes)
        self._splits = self.split(data)
        self._inputs, self._lengths, self._label = data.inputs, data.lengths, data.label
        self.source = data.source
        self.fingerprint = fingerprint_tensors(
            data.inputs, data.lengths, data.label, *self._splits.values()
        )
        self._data = data

    def split(self, data: LoadedData) -> dict[str, Tensor]:
        """Return the ascending indices of every split; the official test set is not touched."""
        train = split_training(
            data.label[: data.n_train], self.repair_share, self.val_share, self.seed
        )
        return {**train, "test": torch.arange(data.n_train, len(data.label))}

    @property
    def _n_loaded(self) -> int:
        if self._data is None:
            raise ConfigurationError("The data module is not set up: call setup() first.")
        return len(self._data.label)

    @property
    def n_injected(self) -> int:
        """Number of repair samples in the training set."""
        return len(self._label) - self._n_loaded

    @property
    def input_shape(self) -> torch.Size:
        """(T, F) of one sequence."""
        return self._inputs.shape[1:]

    @property
    def steps_per_epoch(self) -> int:
        """Training steps of an epoch before anything is injected."""
        return -(-len(self._splits["fit"]) // self.batch_size)

    def sizes(self) -> dict[str, int]:
        """Return the number of sequences of every split."""
        return {name: len(index) for name, index in self._splits.items()}

    def split_index(self, split: Split) -> Tensor:
        """Return the (n,) ascending indices of a split; ``fit`` without injected samples."""
        return self._splits[split]

    def fetch(self, index: Tensor) -> SequenceBatch:
        """Return the sequences with these indices, in this order."""
        return SequenceBatch(index, self._inputs[index], self._lengths[index], self._label[index])

    def training_index(self) -> Tensor:
        """Return the (n,) indices of the fit split and of all injected samples."""
        injected = torch.arange(self._n_loaded, len(self._label))
        return torch.cat([self._splits["fit"], injected])

    def inject(self, inputs: Tensor, lengths: Tensor, label: Tensor) -> Tensor:
        """Add samples to the training set of the next epoch and return their new (n,) indices.

        Raises:
            DataError: another shape than the data, NaN, or labels out of range.
        """
        if inputs.shape[1:] != self.input_shape:
            raise DataError(
                f"Injected samples have shape {tuple(inputs.shape[1:])}, the data "
                f"{tuple(self.input_shape)}: the mutation must keep the shape."
            )
        if not len(inputs) == len(lengths) == len(label):
            raise DataError(
                f"Injected {len(inputs)} inputs, {len(lengths)} lengths and {len(label)} labels: "
                "expected the same number of each."
            )
        _check_values(inputs, lengths, label, self.num_classes, "An injected sample")
        first = len(self._label)
        self._inputs = torch.cat([self._inputs, inputs.to(self._inputs)])
        self._lengths = torch.cat([self._lengths, lengths])
        self._label = torch.cat([self._label, label])
        return torch.arange(first, len(self._label))

    def train_dataloader(self) -> "DataLoader[SequenceBatch]":
        """Return shuffled batches of the fit split and of all injected samples."""
        return batch_loader(
            self.fetch, self.training_index(), self.batch_size, shuffle=True, seed=self.seed
        )

    def val_dataloader(self) -> "DataLoader[SequenceBatch]":
        """Return batches of the val split."""
        return self.trace_dataloader("val")

    def test_dataloader(self) -> "DataLoader[SequenceBatch]":
        """Return batches of the official test set."""
        return self.trace_dataloader("test")

    def trace_dataloader(self, split: Split) -> "DataLoader[SequenceBatch]":
        """Return batches of a whole split in ascending index order."""
        index = self.training_index() if split == "fit" else self._splits[split]
        return batch_loader(self.fetch, index, self.eval_batch_size)

    def state_dict(self) -> dict[str, Any]:
        """Return the injected samples and the identity of the data they were made for."""
        first = self._n_loaded
        return {
            "version": STATE_VERSION,
            "fingerprint": self.fingerprint,
            # Clones: a view would drag the whole data set into the checkpoint.
            "inputs": self._inputs[first:].clone(),
            "lengths": self._lengths[first:].clone(),
            "label": self._label[first:].clone(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the injected samples.

        Raises:
            IncompatibleCheckpointError: the checkpoint was made for other data or another split.
        """
        if state_dict.get("version") != STATE_VERSION:
            raise IncompatibleCheckpointError(
                f"The checkpoint holds data state {state_dict.get('version')}, this program reads "
                f"{STATE_VERSION}: start without ckpt_path."
            )
        if state_dict["fingerprint"] != self.fingerprint:
            raise IncompatibleCheckpointError(
                "The checkpoint was made with other data or another split: use the seed, "
                "datamodule.source, repair_share and val_share of the run that wrote it "
                "(its .hydra/config.yaml), or start without ckpt_path."
            )
        first = self._n_loaded
        self._inputs = torch.cat([self._inputs[:first], state_dict["inputs"]])
        self._lengths = torch.cat([self._lengths[:first], state_dict["lengths"]])
        self._label = torch.cat([self._label[:first], state_dict["label"]])


def _check(data: LoadedData, num_classes: int) -> None:
    if not 0 < data.n_train < len(data.label):
        raise DataError(
            f"{data.source}: expected training and test samples, got {data.n_train} and "
            f"{len(data.label) - data.n_train}."
        )
    _check_values(data.inputs, data.lengths, data.label, num_classes, data.source)


def _check_values(
    inputs: Tensor, lengths: Tensor, label: Tensor, num_classes: int, source: str
) -> None:
    finite = torch.isfinite(inputs).flatten(1).all(1)
    if not finite.all():
        bad = int((~finite).nonzero()[0])
        raise DataError(
            f"{source}: sample {bad} holds NaN or infinity ({int((~finite).sum())} samples do): "
            "clean the data."
        )
    low, high = (int(label.min()), int(label.max())) if len(label) else (0, 0)
    if low < 0 or high >= num_classes:
        raise DataError(
            f"{source}: labels must lie in 0 .. {num_classes - 1} (datamodule.num_classes="
            f"{num_classes}), found {low} .. {high}."
        )
    if len(lengths) and not (int(lengths.min()) >= 1 and int(lengths.max()) <= inputs.shape[1]):
        raise DataError(
            f"{source}: lengths must lie in 1 .. {inputs.shape[1]}, found {int(lengths.min())} .. "
            f"{int(lengths.max())}."
        )
