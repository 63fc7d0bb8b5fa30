"""Series of sensors and the like, from files of the user's own or, without any, JapaneseVowels."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch

from rnnrepair.datamodules.column_values import column_values
from rnnrepair.datamodules.files import known_encoding
from rnnrepair.datamodules.groups import Groups
from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.separators import CHOICES
from rnnrepair.datamodules.sequence_datamodule import SequenceDataModule
from rnnrepair.datamodules.series import missing as missing_values
from rnnrepair.datamodules.series import scaling as scalings
from rnnrepair.datamodules.series.channels import listed, tell_constant
from rnnrepair.datamodules.series.classes import check_classes, class_names_of
from rnnrepair.datamodules.series.japanese_vowels import NAME, read_japanese_vowels
from rnnrepair.datamodules.series.parts import (
    column_of,
    groups_of,
    held_out_parts,
    official_parts,
    parts_by_group,
)
from rnnrepair.datamodules.series.raw import RawSeries
from rnnrepair.datamodules.series.reading import read_series
from rnnrepair.datamodules.series.recordings import Recordings
from rnnrepair.datamodules.series.tables import Columns
from rnnrepair.datamodules.series.windows import windows_of
from rnnrepair.datamodules.spellings import one_spelling
from rnnrepair.edits import SeriesEdits
from rnnrepair.errors import DataError
from rnnrepair.settings import Count, ProperShare, check_settings, one_of

log = logging.getLogger(__name__)

# Edits that would make a half-known value of one that is known.
OF_VALUES = ("magnitude", "noise")


class SeriesDataModule(SequenceDataModule):
    """Series out of ``.ts``, ``.npz``, ``.npy``, csv and parquet files; see ``read_series``."""

    def __init__(
        self,
        path: str | None = None,
        labels: str | None = None,
        id_column: str = "id",
        time_column: str = "time",
        label_column: str = "label",
        split_column: str | None = None,
        group: str | None = None,
        test_by: str | None = None,
        test_groups: Sequence[Any] = (),
        columns: Sequence[str] = (),
        channels: Sequence[str] | None = None,
        units: Sequence[str] = (),
        scaling: Annotated[str, one_of(scalings.WAYS)] = "standard",
        missing: Annotated[str, one_of(missing_values.WAYS)] = "error",
        window: Count | None = None,
        stride: Count | None = None,
        test_share: ProperShare = 0.2,
        separator: Annotated[str, one_of(CHOICES)] | None = None,
        encoding: str = "utf-8",
        strip_labels: bool = False,
        data_dir: str = "data",
        cache_dir: str = ".cache",
        verify_checksum: bool = True,
        batch_size: Count = 128,
        **data: Any,
    ) -> None:
        """Name the files, and say what is made of them.

        Args:
            path: of a file or a folder; None for JapaneseVowels, which pip fetches.
            labels: file of the labels of an ``.npy`` file or of a folder of recordings, where it
                is not found by its name.
            id_column: of tables, the recording that a row belongs to.
            time_column: of tables, the time of a row; a table without it is wide.
            label_column: of tables, the class.
            split_column: column (or array) that says ``train``, ``val`` or ``test``; None takes
                the official split of ``.ts`` files, and holds a test set out elsewhere.
            group: column (or array) whose values never stand in two splits: persons, devices.
            test_by: column (or array) that ``test_groups`` speaks of; None takes ``group``.
            test_groups: the test set is what has one of these values there, and nothing else.
            columns: further columns (or arrays) with one value a recording, such as a device:
                patterns of failures are looked for in them, in ``group`` and in ``test_by``.
            channels: of tables, the columns of the channels (of wide ones, of the steps); None
                takes all that have no other meaning.
            units: of the channels, in their order, for figures.
            scaling: ``none``; ``standard``, mean 0 and deviation 1 by channel over the fit split;
                ``per_sequence``, the same within each sequence.
            missing: ``error`` refuses missing values; ``interpolate`` puts them on the line
                between their neighbours; ``zero_with_mask`` makes them 0 after scaling, and adds a
                channel for each that tells where its values are known.
            window: cut recordings into windows of so many steps, None for whole recordings; those
                of one recording never stand in two splits.
            stride: steps from one window to the next, None for ``window``.
            test_share: of the recordings, held out where nothing else says what test is.
            separator: between the columns of csv tables, by name or as it is; None finds it.
            encoding: of csv and tsv tables.
            strip_labels: make labels that differ by blanks or case alone one class.
            data_dir: folder of the data sets.
            cache_dir: keeps what pip fetches.
            verify_checksum: compare what pip fetches with its known digest.
            batch_size: training sequences a step.
            **data: see ``SequenceDataModule``.

        Raises:
            SettingsError: a value out of range, or arguments that contradict each other.
        """
        check_settings(
            SeriesDataModule, locals(), known_encoding, _stride_of_windows, _groups_of_what
        )
        super().__init__(2, batch_size, **data)
        self.path = None if path is None else Path(path).expanduser()
        self.labels = None if labels is None else Path(labels).expanduser()
        self.test_by = test_by or group
        by_argument = (("group", [group]), ("test_by", [test_by]), ("columns", columns))
        more: dict[str, str] = {}
        for argument, names in by_argument:
            for name in names:
                if name is not None:
                    more.setdefault(name, argument)
        self.more_columns = list(more)
        self.columns = Columns(
            id_column,
            time_column,
            label_column,
            split_column,
            more,
            channels,
            separator=separator,
            encoding=encoding,
        )
        self.group = group
        self.test_groups = test_groups
        self.units = units
        self.scaling = scaling
        self.missing = missing
        self.window = window
        self.stride = stride
        self.test_share = test_share
        self.strip_labels = strip_labels
        self.data_dir = Path(data_dir).expanduser()
        self.cache_dir = Path(cache_dir).expanduser()
        self.verify_checksum = verify_checksum

    def load(self) -> LoadedData:
        """Read the recordings, cut, fill and scale them.

        Raises:
            DataError: files, columns or values cannot be used; says which and why.
        """
        raw, source = self._read()
        labels = one_spelling(
            raw.labels.tolist(), source, merge=self.strip_labels, classes=raw.class_names
        )
        raw = replace(raw, labels=np.array(labels, dtype=np.str_))
        names = self._channel_names(raw)
        classes = class_names_of(raw, source)
        self.num_classes = len(classes)
        missing_values.refuse_missing(raw, self.missing, self.columns.id)
        recordings = self._recordings(raw, classes, source)
        if self.missing == "interpolate":
            filled = missing_values.interpolated(recordings.values, recordings.offsets)
            recordings = replace(recordings, values=filled)
        cut = recordings
        if self.window is not None:
            cut = windows_of(recordings, self.window, self.stride or self.window)
        unscaled = cut.values
        if self.scaling == "per_sequence":
            cut = replace(cut, values=scalings.standardised_each(cut.values, cut.offsets))
        # Before what the fit split tells: which split that is depends on the copies.
        copies = cut.sequences().copies()
        named = None if cut.group is None else torch.from_numpy(cut.group)
        n_train, n_val = (int((cut.part == part).sum()) for part in (0, 1))
        label = torch.from_numpy(cut.label)
        check_classes(cut, classes, source)
        fit = self.split(label, n_train, n_val, Groups(copies, named))["fit"]
        learnt = scalings.moments_of(unscaled, cut.offsets, fit.numpy())
        tell_constant(raw, learnt.constant, source, asked_for=self.columns.channels is not None)
        if self.scaling == "standard":
            cut = replace(cut, values=scalings.standardised(cut.values, learnt))
        units = list(self.units)
        if self.missing == "zero_with_mask":
            cut = replace(cut, values=missing_values.zero_with_mask(cut.values))
            self._tell_of_masks(len(names))
            names = [*names, *(f"{name} known" for name in names)]
            units += [""] * (len(names) - len(units))
        log.info(
            "%s: %d %s of %s, %d channels%s, %d classes.",
            source,
            len(cut),
            "recordings" if self.window is None else "windows",
            _steps(np.diff(cut.offsets)),
            cut.values.shape[1],
            listed(names) if len(raw.channel_names) else "",
            len(classes),
        )
        return LoadedData(
            cut.sequences(),
            label,
            n_train,
            source,
            "series",
            n_val,
            class_names=classes,
            groups=named,
            copies=copies,
            channel_names=names,
            units=units,
            names=cut.names,
            columns=column_values(cut.columns, source),
        )

    def model_arguments(self) -> dict[str, Any]:
        """Return the number of channels and of classes."""
        return {"input_size": self.spec.step_width, "num_classes": self.num_classes}

    def _read(self) -> tuple[RawSeries, str]:
        if self.path is None:
            return read_japanese_vowels(self.data_dir, self.cache_dir, self.verify_checksum), NAME
        return read_series(self.path, self.columns, self.labels), self.path.name

    def _channel_names(self, raw: RawSeries) -> list[str]:
        n_channels = raw.values.shape[1]
        names = [str(name) for name in raw.channel_names or range(n_channels)]
        for argument, given in (("channel_names", names), ("units", self.units)):
            if given and len(given) != n_channels:
                raise DataError(f"{len(given)} {argument} for {n_channels} channels: {given}.")
        return names

    def _tell_of_masks(self, n_channels: int) -> None:
        """Say how edits leave the channels alone that tell what is known."""
        edits = None if self.augmentation is None else self.augmentation.edits
        if not self.augments or not isinstance(edits, SeriesEdits):
            return
        masks = list(range(n_channels, 2 * n_channels))
        kinds = [kind for kind in OF_VALUES if not set(masks) <= set(edits.spared.get(kind, ()))]
        if kinds:
            log.warning(
                "Channels %d to %d tell what is known, and edits change them like all others: "
                "spare them, SeriesEdits(spared={%s}).",
                masks[0],
                masks[-1],
                ", ".join(f"{kind}: {masks}" for kind in kinds),
            )

    def _recordings(self, raw: RawSeries, classes: Sequence[str], source: str) -> Recordings:
        """Return the recordings with numbers for names, in the order training, val, test."""
        number = {name: i for i, name in enumerate(classes)}
        label = np.array([number[name] for name in raw.labels.tolist()], dtype=np.int64)
        group = None
        if self.group is not None:
            group = groups_of(raw, self.group, self.columns.id, source)
        if self.test_groups:
            part = parts_by_group(raw, str(self.test_by), self.test_groups, source)
        else:
            official = official_parts(raw)
            part = held_out_parts(raw, group, self.test_share) if official is None else official
        order = np.argsort(part, kind="stable")
        names = raw.named(self.columns.id, source)
        columns = {name: column_of(raw, name, "columns", source) for name in self.more_columns}
        return Recordings(raw.values, raw.offsets, label, part, group, names, columns).select(order)


def _stride_of_windows(stride: int | None, window: int | None) -> str | None:
    if stride is not None and window is None:
        return f"{stride} is the distance of windows: set window too"
    return None


def _groups_of_what(
    test_groups: Sequence[Any], test_by: str | None, group: str | None
) -> str | None:
    if test_groups and test_by is None and group is None:
        return "expected test_by or group beside it, the column that it speaks of"
    if test_by is not None and not test_groups:
        return f"expected the values of test_by={test_by} that are test, got none"
    return None


def _steps(lengths: np.ndarray) -> str:
    """Say how long (n,) sequences are."""
    shortest, longest = int(lengths.min()), int(lengths.max())
    return f"{shortest} to {longest} steps" if shortest < longest else f"{longest} steps"
