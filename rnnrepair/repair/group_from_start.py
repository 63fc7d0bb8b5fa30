"""Trains a new network, which sees the samples of a group that is named more often."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.errors import ConfigurationError, Fault, SettingsError
from rnnrepair.patterns import is_in
from rnnrepair.repair.edited import more_often
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.repair.strategy import RepairStrategy
from rnnrepair.sequences import holds_any, value_of_group, word_numbers
from rnnrepair.settings import Count, at_least, check_settings


class GroupFromStart(RepairStrategy):
    """``group_from_start``: train a new network that sees a group that you name more often.

    It is trained as ``augment`` and ``all`` train one: on the fit and the repair split, for as many
    steps at the same rates as base and repair take together. Nothing is looked for, so it is what a
    repair that has to find the group is compared with.

    Source: ours.
    """

    name = "group_from_start"
    starts_anew = True
    saves = True

    def __init__(
        self,
        column: str | None = None,
        value: str | int | float | bool | None = None,
        times: Count = 10,
        words: Sequence[str] = (),
        label: Annotated[int, at_least(0)] | None = None,
        augments: bool = False,
    ) -> None:
        """Choose the group: a value of one of the data's columns, a class, or texts of some words.

        Args:
            column: of the user's data.
            value: of it, that the group has.
            times: how many times as often as others its samples are seen; less often where copies
                would take more than half of an epoch, or more than the repair's budget allows.
            words: of which texts of the group hold one at least.
            label: number of the class that the group is.
            augments: whether augmentation draws the repair's edits, as that of ``augment`` does.

        Raises:
            SettingsError: a value out of range, or no group, or two.
        """
        check_settings(GroupFromStart, locals())
        if label is not None and (column, value, len(words)) != (None, None, 0):
            told = "expected a class alone, without column, value and words"
            raise SettingsError("GroupFromStart", [Fault("label", told)])
        self.column = column
        self.value = (
            value_of_group("GroupFromStart", column, value, words) if label is None else None
        )
        self.words = tuple(words)
        self.label = label
        self.times = times
        self.augments = augments

    @override
    def check_known(
        self,
        columns: Mapping[str, Sequence[str]],
        token_names: Sequence[str],
        training: Tensor,
        label: Tensor,
    ) -> None:
        if self.label is not None:
            if not bool((label == self.label).any()):
                raise ConfigurationError(
                    f"label={self.label}: no training sample is of this class, there are "
                    f"{label.unique().tolist()}."
                )
            return
        if self.column is None:
            word_numbers(self.words, token_names, "words")
            return
        if self.column not in columns:
            raise ConfigurationError(
                f"column={self.column!r}: the data know {sorted(columns) or 'no columns'}: name "
                "one of those (columns=... of the data module reads more)."
            )
        values = columns[self.column]
        known = {values[i] for i in training.tolist()}
        if self.value not in known:
            raise ConfigurationError(
                f"value={self.value!r}: no training sample has it in the column {self.column!r}, "
                f"there are {', '.join(sorted(known)[:20])}."
            )

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Return copies of the group's samples, each as often as any other or once more."""
        known = torch.cat([context.originals, context.repair])
        own = known[self._inside(context, known)]
        # Those of the group are what the copies are for; others where the base fails at none of it.
        inside = self._inside(context, context.evidence.failures.index)
        served = (inside if bool(inside.any()) else torch.ones_like(inside)).nonzero()[:, 0]
        return more_often(own, self.times, served, context, budget)

    def _inside(self, context: RepairContext, index: Tensor) -> Tensor:
        """Return (n,) bool: samples of the group."""
        if self.column is not None and self.value is not None:
            return is_in(context.columns[self.column], index, {"value": self.value})
        texts = context.fetch(index)
        if self.label is not None:
            return texts.label == self.label
        numbers = word_numbers(self.words, context.token_names, "words")
        return holds_any(texts.inputs, texts.mask, numbers)
