"""A user's own data sets, as they are: training gets his batches, an analysis reads his items."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import torch
from pytorch_lightning.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from rnnrepair.datamodules.batching import EpochBatches, batch_loader
from rnnrepair.datamodules.chances import chances_of, class_chance
from rnnrepair.datamodules.collating import Collate, check_collate, filling_of
from rnnrepair.datamodules.column_values import column_values
from rnnrepair.datamodules.find_format import find_format
from rnnrepair.datamodules.formed_batches import EditedFormedBatches, FormedBatches, Forming
from rnnrepair.datamodules.groups import group_names, group_numbers, with_groups
from rnnrepair.datamodules.items import Items
from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.options import refuse_unknown
from rnnrepair.datamodules.read_sequences import ReadSequences, read_sequences
from rnnrepair.datamodules.sample_format import Key, SampleFormat, keys_of, numbers_at
from rnnrepair.datamodules.sequence_datamodule import SequenceDataModule
from rnnrepair.errors import ConfigurationError
from rnnrepair.protocols import Split
from rnnrepair.sequences import Kind, SampleNames, SequenceBatch
from rnnrepair.settings import Count, at_least, check_settings, one_of

# Items whose form is tried, and items that a collate_fn is tried on.
TRIED = 50
COLLATED = 6


class DatasetDataModule(SequenceDataModule):
    """Map-style data sets of items ``(x, y)``, ``(x, length, y)``, dicts or named tuples.

    What stands where is found out by trying and told in one line. Training, validation and test
    batches are the user's own: his items, his ``collate_fn``. An injected sample is the item that
    it was made from with another sequence (and length, mask and label), so whatever else an item
    holds travels with it. Every item is read once in ``setup``; sequences stay in memory up to
    ``keep_bytes``, and are read again whenever they are asked for beyond that.
    """

    def __init__(
        self,
        train: Any,
        test: Any,
        val: Any = None,
        group: Any = None,
        batch_size: Count = 128,
        collate_fn: Collate | None = None,
        *,
        num_classes: Annotated[int, at_least(2)] | None = None,
        kind: Annotated[str, one_of(Kind)] | None = None,
        fields: Mapping[str, Key] | None = None,
        padding: float | None = None,
        steps_last: bool = False,
        sampler: Any = None,
        class_names: Sequence[str] = (),
        token_names: Sequence[str] = (),
        between_tokens: str = " ",
        unknown: int | None = None,
        channel_names: Sequence[str] = (),
        columns: Mapping[str, Sequence[Any]] | None = None,
        source: str = "data set",
        keep_bytes: Annotated[int, at_least(0)] = 2_000_000_000,
        loading: Mapping[str, Any] | None = None,
        progress: bool = True,
        bucket_batches: Count = 1,
        **options: Any,
    ) -> None:
        """Take the data sets.

        Args:
            train: with a length and an index; ``fit`` and ``repair`` are carved from it.
            test: is only reported.
            val: chooses; carved from ``train`` where None.
            group: an entry for each item of train, then val, then test; no group stands in two
                splits. What they are called is a column, ``group``, where none says it.
            batch_size: training items a step.
            collate_fn: makes a batch of a list of items; torch's where None.
            num_classes: C; as many as there are where None.
            kind: of the data; tokens where inputs are whole numbers, image where they are (1, T,
                F), else series, where None.
            fields: places of ``inputs``, ``label``, ``length``, ``mask`` in an item, as far as they
                are not found out rightly, and of further inputs under the names that a network's
                ``forward`` has for them.
            padding: what stands behind the end of sequences that tell no length; found where None.
            steps_last: inputs are (features, steps), as convolutions take them; batches stay so.
            sampler: a ``WeightedRandomSampler`` over ``train``, or the weights of its items. An
                injected or relabelled sample gets the mean weight of its class.
            class_names: by class.
            token_names: by token.
            between_tokens: stands between two tokens where they are shown as text; empty for
                characters.
            unknown: token of all words without a number.
            channel_names: by channel of series.
            columns: what else is known of the items, by the name of the column (speaker, device,
                site), an entry for each item of train, then val, then test. Patterns of failures
                are looked for in them.
            source: what the data are called.
            keep_bytes: see above.
            loading: further options of the ``DataLoader``s, such as ``num_workers``.
            progress: show a progress bar while items are read.
            bucket_batches: see ``SequenceDataModule``; 1 leaves the order to chance, as a
                ``DataLoader`` does.
            **options: see ``SequenceDataModule``.

        Raises:
            SettingsError: a value out of range.
            TypeError: an argument that there is not.
            ConfigurationError: ``planted`` or ``trigger``: items and their labels are the user's;
                ``fields`` that are no mapping.
        """
        check_settings(DatasetDataModule, locals())
        refuse_unknown(type(self), options)
        for plant in ("planted", "trigger"):
            if options.get(plant) is not None:
                raise ConfigurationError(
                    f"{plant} changes data in memory, and training is given items as they are: "
                    "change the items of the data set."
                )
        if fields is not None and not isinstance(fields, Mapping):
            raise ConfigurationError(
                "fields: expected a mapping of names to places in an item, such as "
                f"{{'inputs': 0, 'label': 1}}, got {fields!r}."
            )
        super().__init__(num_classes, batch_size, bucket_batches=bucket_batches, **options)
        self.collate_fn: Collate = collate_fn or default_collate
        self._parts = {"train": train, "val": val, "test": test}
        self._group = None if group is None else group_names(group)
        self._kind, self._fields, self._padding = kind, fields, padding
        self._steps_last = steps_last
        self._sampler = sampler
        self._class_names, self._token_names, self._unknown = class_names, token_names, unknown
        self._between_tokens, self._channel_names = between_tokens, channel_names
        self._columns = column_values(_columns(columns), source or "columns")
        self._called = source
        self._keep_bytes = keep_bytes
        self._loading = dict(loading or {})
        self._progress = progress
        self._read: ReadSequences | None = None
        self._chance: Tensor | None = None

    @property
    def form(self) -> SampleFormat:
        """What stands where in an item.

        Raises:
            ConfigurationError: ``setup`` has not run.
        """
        return self._base.form

    def load(self) -> LoadedData:
        """Read every item once.

        Raises:
            DataError: an item that cannot be read, or a collate_fn that drops or reorders.
        """
        parts = {name: part for name, part in self._parts.items() if part is not None}
        items = Items(parts, self.place_of)
        n_train = len(items.parts["train"])
        index = torch.linspace(0, n_train - 1, min(TRIED, n_train)).round().long().tolist()
        tried = [items[i] for i in index]
        given = self._kind, self._fields, self._padding
        places = [items.place(i) for i in index]
        form = find_format(tried, index, places, *given, steps_last=self._steps_last)
        if self._padding is None and not form.width:
            # Items as long as their sequences: collate_fn knows what stands behind these.
            filling = filling_of(self.collate_fn, tried, form)
            form = form if filling is None else replace(form, padding=filling)
        repeats = _repeats(items, form, index[:3])
        if not repeats:
            rank_zero_warn(
                "The training items differ whenever they are asked for: an analysis takes one "
                "draw of each. Better leave random changes to Augmentation(share, edits)."
            )
        bars = self.shows_bars(self._progress)
        self._read = read_sequences(items, form, self._keep_bytes, bars, repeats=repeats)
        self._check_collate(n_train)
        self._chance = chances_of(self._sampler, n_train)
        rank_zero_info(f"Items of {self._called} are read so: {self._read.form.told}.")
        n_val = len(items.parts["val"]) if "val" in items.parts else 0
        groups = None
        if self._group is not None:
            groups = group_numbers(self._group, len(items), "group")
            self._columns = with_groups(self._columns, self._group, groups)
        return LoadedData(
            self._read,
            self._read.label,
            n_train,
            self._called,
            form.kind,
            n_val=n_val,
            groups=groups,
            class_names=self._class_names,
            token_names=self._token_names,
            between_tokens=self._between_tokens,
            unknown=self._unknown,
            names=self.item_names(items),
            columns=self._columns,
            channel_names=self._channel_names,
        )

    def place_of(self, part: str, number: int) -> str:
        """Return what messages call item ``number`` of ``train``, ``val`` or ``test``."""
        return f"item {number} of {part}"

    def item_names(self, items: Items) -> SampleNames:
        """Return what items are called."""
        sizes = [(name, len(part)) for name, part in items.parts.items()]
        return SampleNames.by_part(sizes, "data set and index of the item in it")

    @property
    def keeps_lengths(self) -> bool:
        """Whether new samples have no room for more steps than what they were made from.

        So it is where further inputs belong to steps, and where items are of one width and the
        longest sequence fills it.
        """
        width, longest = self.form.width, int(self._base.lengths.max())
        return bool(self.form.beside) or width == longest

    @property
    def keeps_parents(self) -> bool:
        """Whether items hold more than sequence, length, mask and label."""
        form = self.form
        read = {form.inputs, form.label, form.length, form.mask}
        return not set(keys_of(self._base.items[0])) <= read

    def training_form(self, batch: SequenceBatch) -> tuple[Any, SequenceBatch]:
        """Return the user's batch of these sequences, and how ``fetch`` would show its items."""
        given, read = self._forming.batch(batch.to("cpu"))
        device = batch.inputs.device
        return self.transfer_batch_to_device(given, device, 0), read.to(device)

    def training_batches(self) -> Dataset[Any]:
        """Return what makes the user's batches of plans, as their epoch sees them."""
        if not self.augments and not self._store.regions:
            # His own items as they are: writing sequences into them costs time.
            return FormedBatches(self._forming)
        return EditedFormedBatches(self._forming, self.epoch_edits)

    def chance_of(self, originals: Tensor, injected: Tensor) -> Tensor | None:
        """Return the sampler's (n + m,) weights, which are those of the labels that were loaded.

        An injected or relabelled sample has the mean of the class that it has now.
        """
        if self._chance is None:
            return None
        n_train = len(self._chance)
        known = originals[originals < n_train]
        loaded = self._store.loaded_label_of(known)
        by_class = class_chance(self._chance[known], loaded, self.spec.n_classes)
        chance = by_class[self._store.label_of(torch.cat([originals, injected]))]
        as_loaded = originals < n_train
        as_loaded[as_loaded.clone()] = loaded == self._store.label_of(known)
        chance[: len(originals)][as_loaded] = self._chance[originals[as_loaded]]
        return chance

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the user's batches of the val split."""
        return self._evaluated("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the user's batches of the test set."""
        return self._evaluated("test")

    def _evaluated(self, split: Split) -> DataLoader[Any]:
        plans = EpochBatches(self.indices(split), self.eval_batch_size)
        return batch_loader(FormedBatches(self._forming), plans, **self._loading)

    @property
    def _base(self) -> ReadSequences:
        if self._read is None:
            raise ConfigurationError("The data module is not set up: call setup() first.")
        return self._read

    @property
    def _forming(self) -> Forming:
        return Forming(self._base, self._store, self.collate_fn)

    def _check_collate(self, n_train: int) -> None:
        base = self._base
        order = base.lengths[:n_train].argsort(stable=True)
        rows = order[torch.linspace(0, n_train - 1, min(COLLATED, n_train)).round().long()]
        items = base.items.many(rows.unique().flip(0).tolist())
        n_classes = self.num_classes or max(len(base.label.unique()), 2)
        if not check_collate(self.collate_fn, items, base.form, n_classes):
            rank_zero_warn(
                "Whether collate_fn keeps all samples in their order could not be seen: it gives "
                "no numbers that the labels of its items are."
            )


def _repeats(items: Items, form: SampleFormat, index: Sequence[int]) -> bool:
    """Whether items are the same whenever they are asked for."""

    def inputs(i: int) -> Tensor:
        return numbers_at(items[i], form.inputs).nan_to_num()

    return all(torch.equal(inputs(i), inputs(i)) for i in index)


def _columns(columns: Any) -> dict[str, list[Any]]:
    """Return the values of each column; of a frame its columns.

    Raises:
        ConfigurationError: no mapping of names to values.
    """
    if columns is None:
        return {}
    found = dict(columns.items()) if hasattr(columns, "items") else {}
    single = [name for name, values in found.items() if not _is_many(values)]
    if not hasattr(columns, "items") or single:
        raise ConfigurationError(
            "columns: expected a mapping of names to one value for each sample, such as "
            f"{{'device': ['a', 'b', ...]}}, or a frame, got {columns!r:.200}."
        )
    return {str(name): list(values) for name, values in found.items()}


def _is_many(values: Any) -> bool:
    return hasattr(values, "__iter__") and not isinstance(values, str)
