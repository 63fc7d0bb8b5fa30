"""Sequences with their splits, as the base of all data modules."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rnnrepair.datamodules.augmentation import Augmentation
from rnnrepair.datamodules.batching import (
    EpochBatches,
    FetchedBatches,
    batch_loader,
)
from rnnrepair.datamodules.epoch_edits import EditedBatches, EpochEdits
from rnnrepair.datamodules.groups import Groups
from rnnrepair.datamodules.labels import class_numbers
from rnnrepair.datamodules.loaded import LoadedData, check_loaded
from rnnrepair.datamodules.planted_copies import PlantedCopies
from rnnrepair.datamodules.planted_labels import PlantedLabels
from rnnrepair.datamodules.planted_trigger import PlantedTrigger
from rnnrepair.datamodules.planting import Fault, prepare
from rnnrepair.datamodules.rare_edit import RareEdit
from rnnrepair.datamodules.rare_group import RareGroup
from rnnrepair.datamodules.same_scale import SCALE, check_scale
from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.datamodules.splits import PartShare, split_all, tell_left_out, tell_shared
from rnnrepair.datamodules.store import Store
from rnnrepair.datamodules.training_set import TrainingSet
from rnnrepair.edits import EditFamily, check_hidden, fitted
from rnnrepair.errors import ConfigurationError, DataError, IncompatibleCheckpointError
from rnnrepair.fingerprint import fingerprint_tensors
from rnnrepair.made_with import described
from rnnrepair.progress import are_bars_shown
from rnnrepair.protocols import Split
from rnnrepair.sequences import (
    Changes,
    Corrected,
    DataSpec,
    Poison,
    SampleNames,
    SequenceBatch,
    check_fits,
)
from rnnrepair.settings import Count, at_least, check_settings

STATE_VERSION = 6


class SequenceDataModule(pl.LightningDataModule):
    """Base of the data modules; a subclass only says how its data are loaded.

    Samples are numbered in the order of ``LoadedData``, injected ones from there on. The number
    is the row in memory, so fetching is one gather.
    """

    spec: DataSpec

    def __init__(
        self,
        num_classes: Annotated[int, at_least(2)] | None = None,
        batch_size: Count = 128,
        eval_batch_size: Count = 500,
        repair_share: PartShare = 1 / 6,
        val_share: PartShare = 1 / 12,
        seed: int = 0,
        bucket_batches: Count = 100,
        augmentation: Augmentation | None = None,
        planted: PlantedLabels | None = None,
        corrections: str | Path | None = None,
        trigger: PlantedTrigger | None = None,
        rare: RareEdit | RareGroup | None = None,
        fault: Fault | None = None,
    ) -> None:
        """Choose splits and batches.

        Args:
            num_classes: C; labels must lie in 0 .. C - 1. As many as there are where None.
            batch_size: training sequences a step.
            eval_batch_size: sequences a step where nothing is learnt.
            repair_share: share of the training samples that supplies the failures to repair; 0 for
                a network that is trained already, which is only explained.
            val_share: share that chooses, or 0 for such a network; not used where the data have a
                val set of their own.
            seed: of the split and of the order of training.
            bucket_batches: batches drawn at a time and sorted by length, so that sequences of
                like length meet in a batch; 1 leaves the order to chance alone.
            augmentation: edits a share of the original sequences of every training batch; None
                leaves them as they are.
            planted: makes some labels wrong on purpose, to see who finds them.
            corrections: table of samples that are relabelled, dropped or kept once splits are
                drawn, see ``read_corrections``; None for none.
            trigger: puts a backdoor into some samples of the fit split, to see who finds them.
            rare: gives few training samples a pattern, or leaves few of a group, to see who
                finds it.
            fault: leaves few samples of a class, or adds copies with another label.

        Raises:
            SettingsError: a size below 1, or a share out of range.
        """
        check_settings(SequenceDataModule, locals())
        super().__init__()
        self.num_classes = num_classes
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.repair_share = repair_share
        self.val_share = val_share
        self.seed = seed
        self.bucket_batches = bucket_batches
        self.augmentation = augmentation
        # What ``train_on`` has chosen in place of its edits.
        self._edits: EditFamily | None = None
        self.planted = planted
        self.corrections = None if corrections is None else Path(corrections).expanduser()
        self.trigger = trigger if trigger is not None and trigger.n else None
        self.rare = rare
        self.fault = fault
        self._poison: Poison | None = None
        self._corrected: Corrected | None = None
        self.source = ""
        self.fingerprint = ""
        self._data: LoadedData | None = None
        self._splits: dict[str, Tensor] = {}
        self._loading: dict[str, Any] = {}
        nothing = Sequences(torch.empty(0), torch.zeros(1).long())
        self._training = TrainingSet(Store(nothing, torch.empty(0).long()), self._splits)

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
        if self.num_classes is None:
            self.num_classes = max(len(np.unique(data.label)), len(data.class_names), 2)
        if data.class_names and len(data.class_names) != self.num_classes:
            raise DataError(
                f"{data.source}: {len(data.class_names)} class names, "
                f"{[*data.class_names][:5]}, for {self.num_classes} classes: name each of them, in "
                "the order in which the network numbers them."
            )
        label = class_numbers(data.label, self.num_classes, data.source)
        data = replace(data, label=label)
        if self.rare is not None:
            data = self.rare.plant(data)
        check_loaded(data)
        self.spec = data.spec(self.num_classes)
        if self.augmentation is not None and self.augments:
            check_fits([("augmentation", self.augmentation.edits)], self.spec)
            check_hidden("augmentation", self.augmentation.edits, self.spec)
        self._splits = self.split(
            data.label[: data.end_test], data.n_train, data.n_val, data.grouped()
        )
        tell_left_out(self._splits, data.first_test)
        if self.repair_share == 0:
            tell_shared(data.grouped(), data.label, data.n_train, data.n_val)
        first = data.end_test
        for name, size in data.more_tests.items():
            self._splits[name] = torch.arange(first, first + size)
            first += size
        made = prepare(
            data,
            self.spec,
            self._splits,
            self.planted,
            self.fault,
            self.trigger,
            corrections=self.corrections,
        )
        data, self.spec, self._splits = made.data, made.spec, made.splits
        self._poison, self._corrected = made.poison, made.said
        self._training = TrainingSet(Store(data.sequences, made.label), self._splits)
        self.source = data.source
        self.fingerprint = fingerprint_tensors(
            *data.sequences.fingerprinted(), made.label, *self._splits.values()
        )
        self._data = data

    @property
    def _store(self) -> Store:
        return self._training.store

    def shows_bars(self, wanted: bool) -> bool:
        """Return whether progress bars are shown: where they are wanted and the trainer has one."""
        if self.trainer is None:
            return wanted and are_bars_shown()
        return wanted and self.trainer.progress_bar_callback is not None

    def split(self, label: Tensor, n_train: int, n_val: int, groups: Groups) -> dict[str, Tensor]:
        """Return the ascending indices of every split; official test sets stay whole.

        No group stands in two splits; sequences that stand in an official set too are left out of
        what comes before it.

        Args:
            label: (n,) of all samples, further test sets aside.
            n_train: see ``LoadedData``.
            n_val: see ``LoadedData``.
            groups: of all samples, further test sets included.

        Raises:
            ConfigurationError: the shares leave a split empty.
            DataError: a named group stands in two official sets.
        """
        return split_all(
            label, n_train, n_val, groups, self.repair_share, self.val_share, self.seed
        )

    def model_arguments(self) -> dict[str, Any]:
        """Return what the model must know of the data before it can be built."""
        return {}

    def _set_up(self) -> LoadedData:
        """Return what was loaded; refuse a module that is not set up."""
        if self._data is None:
            raise ConfigurationError("The data module is not set up: call setup() first.")
        return self._data

    @property
    def more_tests(self) -> tuple[str, ...]:
        """Names of further test splits, which are reported beside ``test``."""
        return () if self._data is None else tuple(self._data.more_tests)

    @property
    def n_injected(self) -> int:
        """Number of repair samples in the training set."""
        return self._store.n_added

    @property
    def n_rounds(self) -> int:
        """Number of changes that were made by ``apply`` and not taken back."""
        return len(self._store.rounds)

    @property
    def steps_per_epoch(self) -> int:
        """Training steps of an epoch before anything is injected."""
        return -(-len(self._splits["fit"]) // self.batch_size)

    def sizes(self) -> dict[str, int]:
        """Return the number of sequences of every split."""
        return {name: len(index) for name, index in self._splits.items()}

    def indices(self, split: Split) -> Tensor:
        """Return the (n,) ascending indices of a split; ``fit`` without injected samples."""
        return self._splits[split]

    def fetch(self, index: Tensor) -> SequenceBatch:
        """Return the sequences with these indices, in this order."""
        return self._store.fetch(index)

    def training_form(self, batch: SequenceBatch) -> tuple[Any, SequenceBatch]:
        """Return what training is given for these sequences, and how ``fetch`` would show them."""
        return batch, batch

    def lengths_of(self, index: Tensor) -> Tensor:
        """Return the (n,) steps of the sequences with these indices."""
        return self._store.lengths_of(index)

    def labels_of(self, index: Tensor) -> Tensor:
        """Return the (n,) labels that sequences are trained with now."""
        return self._store.label_of(index)

    @property
    def sample_names(self) -> SampleNames:
        """What samples are called where they came from, and what injected ones were made of."""
        data = self._set_up()
        names = SampleNames(np.arange(len(data.label))) if data.names is None else data.names
        return replace(names, origin=self._store.added_origin)

    @property
    def sample_columns(self) -> Mapping[str, Sequence[str]]:
        """What else is known of each sample that was loaded, by the name of the column."""
        return self._set_up().columns

    @cached_property
    def sample_groups(self) -> Tensor | None:
        """(n,) int64 of all loaded samples: those that are copies, or of one group, tell the same.

        None where each stands alone.
        """
        n = len(self._set_up().label)
        groups = self._set_up().grouped().joined(n)
        return groups if len(groups.unique()) < n else None

    def mislabelled(self, index: Tensor) -> Tensor | None:
        """Return (n,) bool: loaded sequences whose label was made wrong; None where none were."""
        planted = self.planted is not None and self.planted.share > 0
        if self._data is None or not (planted or isinstance(self.fault, PlantedCopies)):
            return None
        return self._store.loaded_label_of(index) != self._data.label[index]

    def true_labels(self, index: Tensor) -> Tensor:
        """Return the (n,) labels of loaded sequences before any was made wrong."""
        return self._set_up().label[index]

    @property
    def corrected(self) -> Corrected | None:
        """What a person has said of labels, None where there are no corrections."""
        return self._corrected

    @property
    def poison(self) -> Poison | None:
        """Which loaded sequences hold a trigger, and where; None where none do."""
        return self._poison

    def training_index(self) -> Tensor:
        """Return the (n,) indices of the fit split and of all added sequences, but removed ones."""
        return self._training.index()

    def apply(self, changes: Changes) -> Tensor:
        """Change the training data of the next epoch; return the new (n,) indices of what is added.

        Raises:
            DataError: steps of another shape than the data's, NaN, labels or indices out of range;
                nothing is changed then.
        """
        return self._store.apply(changes, self.spec.n_classes)

    def take_back(self) -> None:
        """Undo the last ``apply``."""
        self._store.take_back()

    def train_on(
        self,
        splits: Sequence[Split],
        n_originals: int,
        edits: EditFamily | None = None,
    ) -> None:
        """Choose what an epoch sees besides the injected samples, from the next one on.

        Args:
            splits: whose original sequences are drawn.
            n_originals: how many an epoch draws; see ``EpochBatches``.
            edits: what augmentation draws from; None leaves that as it is. It is no part of the
                state: who chose it chooses it again after a resume.

        Raises:
            ConfigurationError: edits for training without augmentation, or before ``setup``.
        """
        self._set_up()
        self._training.draw_from(splits, n_originals)
        if edits is not None:
            if not self.augments:
                raise ConfigurationError(
                    "There is no augmentation to draw these edits for: give it a share above 0."
                )
            self._edits = edits

    @property
    def keeps_lengths(self) -> bool:
        """Whether new samples have no room for more steps than what they were made from."""
        return False

    @property
    def augments(self) -> bool:
        """Whether training batches are edited."""
        return self.augmentation is not None and self.augmentation.share > 0

    @property
    def epoch_augmentation(self) -> Augmentation | None:
        """What edits training batches, None where nothing does."""
        if self.augmentation is None or not self.augments:
            return None
        edits = fitted(self._edits or self.augmentation.edits, self.spec)
        return Augmentation(self.augmentation.share, edits)

    def trains_unknown(self) -> bool:
        """Return whether training meets the token of unknown words; true where there is none."""
        return True

    def train_dataloader(self) -> "DataLoader[SequenceBatch]":
        """Return shuffled batches of original sequences (``fit``, once each, unless ``train_on``
        says otherwise) and of all injected samples.
        """
        plans = self._training.plans(
            self.batch_size, self.bucket_batches, self.seed, self.chance_of
        )
        if self.trainer is not None:
            # After a resume, workers draw their first batches before Lightning calls set_epoch.
            plans.set_epoch(self.trainer.current_epoch)
        return batch_loader(self.training_batches(), plans, **self._loading)

    def training_batches(self) -> Dataset[Any]:
        """Return what makes batches of plans, as their epoch sees them."""
        return EditedBatches(self.fetch, self.epoch_edits)

    @property
    def epoch_edits(self) -> EpochEdits:
        """What training edits anew in every epoch."""
        originals = self._training.originals()
        parts = self._store, self.spec, self.epoch_augmentation, self.seed, originals
        return EpochEdits(*parts, self.keeps_parents)

    @property
    def keeps_parents(self) -> bool:
        """Whether more belongs to a sample than its sequence, such as further inputs or a name.

        Then a sample that every epoch edits anew stays with the original that it was made from.
        """
        return False

    def chance_of(self, originals: Tensor, injected: Tensor) -> Tensor | None:
        """Return the (n + m,) weights by which an epoch draws; None where all are drawn alike."""
        return None

    def val_dataloader(self) -> "DataLoader[SequenceBatch]":
        """Return batches of the val split."""
        return self.loader("val")

    def test_dataloader(self) -> "DataLoader[SequenceBatch]":
        """Return batches of the official test set."""
        return self.loader("test")

    def loader(self, split: Split) -> "DataLoader[SequenceBatch]":
        """Return batches of a whole split, in ascending order of length, then of index.

        ``fit`` includes added sequences, and originals that are removed: the next analysis looks at
        the same steps as the last.
        """
        index = self._splits[split]
        if split == "fit":
            index = torch.cat([index, self._store.added_index])
        by_length = self.lengths_of(index).argsort(stable=True)
        plans = EpochBatches(index[by_length], self.eval_batch_size)
        return batch_loader(FetchedBatches(self.fetch), plans)

    def state_dict(self) -> dict[str, Any]:
        """Return the changes and the identity of the data they were made for."""
        self._set_up()
        return {
            "version": STATE_VERSION,
            "fingerprint": self.fingerprint,
            SCALE: described(self.spec.scale),
            **self._training.state(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the changes.

        Raises:
            IncompatibleCheckpointError: the checkpoint was made for other data or another split,
                or its edits were drawn in other units.
        """
        if state_dict.get("version") != STATE_VERSION:
            raise IncompatibleCheckpointError(
                f"The checkpoint holds data state {state_dict.get('version')}, this program reads "
                f"{STATE_VERSION}: start without ckpt_path."
            )
        if state_dict["fingerprint"] != self.fingerprint:
            raise IncompatibleCheckpointError(
                "The checkpoint was made with other data or another split: use the seed and "
                "the datamodule section of the run that wrote it (its .hydra/config.yaml), or "
                "start without ckpt_path."
            )
        check_scale(state_dict, self.spec.scale)
        self._training.restore(state_dict)
        self._edits = None
