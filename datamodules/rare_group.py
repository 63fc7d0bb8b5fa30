"""A group of samples of which few are left to train on: a failure mode that nobody was told of."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.sequences import in_memory
from rnnrepair.errors import ConfigurationError
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import holds_any, value_of_group, word_numbers
from rnnrepair.settings import ProperShare, check_settings

log = logging.getLogger(__name__)


class RareGroup:
    """Leaves a small share of a group's training samples, and tests the group by itself.

    Which are left is a matter of the data set: they are the same in every seed. ``test_rare`` holds
    the test samples of the group, ``test`` all others.
    """

    def __init__(
        self,
        column: str | None = None,
        value: str | int | float | bool | None = None,
        words: Sequence[str] = (),
        keep: ProperShare = 0.1,
    ) -> None:
        """Choose the group: a value of one of the data's columns, or texts that hold some words.

        Args:
            column: name of the column.
            value: of it, that the group has.
            words: of which texts of the group hold one at least.
            keep: share of the group's training samples that are left.

        Raises:
            SettingsError: a value out of range, or no group, or two.
        """
        check_settings(RareGroup, locals())
        self.column = column
        self.value = value_of_group("RareGroup", column, value, words)
        self.words = tuple(words)
        self.keep = keep

    def plant(self, data: LoadedData) -> LoadedData:
        """Return the data without most of the group's training samples.

        Args:
            data: as loaded, before they are split.

        Raises:
            ConfigurationError: there is no such group, it is all there is, or sequences are not in
                memory.
        """
        sequences = in_memory(data.sequences, "rare")
        inside = self._inside(data)
        numbers = torch.arange(len(data.label))
        parts = {
            "training": numbers[: data.n_train],
            "val": numbers[data.n_train : data.first_test],
            "test": numbers[data.first_test : data.end_test],
        }
        for part in ("training", "test"):
            n_inside = int(inside[parts[part]].sum())
            if n_inside in (0, len(parts[part])):
                raise ConfigurationError(
                    f"rare: {n_inside} of {len(parts[part])} {part} samples are of the group "
                    f"{self.told}: expected some, and others."
                )
        train, val = (self._thinned(parts[part], inside) for part in ("training", "val"))
        test = parts["test"]
        group = test[inside[test]]
        log.info(
            "Of the group %s %d of %d training samples are left; %d test samples are test_rare.",
            self.told,
            int(inside[train].sum()),
            int(inside[parts["training"]].sum()),
            len(group),
        )
        rows = torch.cat([train, val, test[~inside[test]], numbers[data.end_test :], group])
        return replace(
            data,
            sequences=sequences.select(rows),
            label=data.label[rows],
            n_train=len(train),
            n_val=len(val),
            more_tests={**data.more_tests, "test_rare": len(group)},
            copies=None if data.copies is None else data.copies[rows],
            groups=None if data.groups is None else data.groups[rows],
            names=None if data.names is None else data.names.select(rows),
            columns={
                name: [values[row] for row in rows.tolist()]
                for name, values in data.columns.items()
            },
        )

    @property
    def told(self) -> str:
        """What the group is, for people."""
        if self.column is not None:
            return f"{self.column} = {self.value}"
        return f"texts with {' or '.join(self.words)}"

    def _inside(self, data: LoadedData) -> Tensor:
        """Return (n,) bool: samples of the group."""
        if self.column is not None:
            if self.column not in data.columns:
                raise ConfigurationError(
                    f"rare: the data know no column {self.column!r}, but {sorted(data.columns)}: "
                    "name one of those (columns=... of the data module reads more)."
                )
            return torch.tensor([str(value) == self.value for value in data.columns[self.column]])
        numbers = word_numbers(self.words, data.token_names, "rare")
        tokens, lengths = data.sequences.take(torch.arange(len(data.label)))
        read = torch.arange(tokens.shape[1]) < lengths[:, None]
        return holds_any(tokens, read, numbers)

    def _thinned(self, rows: Tensor, inside: Tensor) -> Tensor:
        """Return the rows that are left, in their order."""
        group = rows[inside[rows]]
        n_left = max(1, round(self.keep * len(group))) if len(group) else 0
        order = torch.randperm(len(group), generator=torch_generator(0, "rare group"))
        gone = group[order[n_left:]]
        return rows[~torch.isin(rows, gone)]
