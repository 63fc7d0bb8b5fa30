"""Sequences that never change, and the changes that were made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from rnnrepair.datamodules.base import Base
from rnnrepair.datamodules.labels import class_numbers
from rnnrepair.datamodules.loaded import check_steps
from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.errors import DataError
from rnnrepair.sequences import COPY, Changes, EditRegion, SequenceBatch, joined_regions


@dataclass(frozen=True)
class Round:
    """Changes that were made together; see ``Changes``.

    The origins are sequences of the base, -1 where nobody has said them.
    """

    added: Sequences
    regions: tuple[EditRegion, ...]
    origin: Tensor
    region: Tensor
    label: Tensor
    removed: Tensor
    relabelled: Tensor
    new_label: Tensor
    reweighted: Tensor
    weight: Tensor
    untrusted: Tensor

    def state(self) -> dict[str, Any]:
        """Return tensors and plain values, for checkpoints."""
        named = {name: getattr(self, name) for name in _numbers()}
        regions = [astuple(region) for region in self.regions]
        parts = {"values": self.added.values, "offsets": self.added.offsets, "regions": regions}
        return parts | named

    @classmethod
    def of_state(cls, state: Mapping[str, Any], like: Sequences) -> "Round":
        """Return the round that ``state`` told; its sequences are of the form of others."""
        plain = dict(state)
        values, offsets = plain.pop("values"), plain.pop("offsets")
        regions = tuple(EditRegion(*region) for region in plain.pop("regions"))
        return cls(replace(like, values=values, offsets=offsets), regions, **plain)


def _numbers() -> list[str]:
    """Return the names of what a round knows as tensors."""
    return [f.name for f in fields(Round) if f.name not in ("added", "regions")]


class Store:
    """N base sequences, which are never copied, and rounds of changes.

    Added sequences are numbered behind those of the base. A round costs what it adds, and the last
    one can be taken back.

    Attributes:
        base: sequences as they were loaded.
        rounds: changes, in the order in which they were made.
        regions: of edits that are drawn anew in every epoch.
    """

    def __init__(self, base: Base, label: Tensor) -> None:
        """Take the base and its (N,) labels."""
        self.base = base
        self._base_label = label
        self.rounds: list[Round] = []
        self._view()

    def __len__(self) -> int:
        return len(self.base) + len(self._added)

    @property
    def n_added(self) -> int:
        """Sequences that stand behind the base."""
        return len(self._added)

    @property
    def added_index(self) -> Tensor:
        """Indices of those that were added and not removed again."""
        index = torch.arange(len(self.base), len(self))
        return index[~torch.isin(index, self.removed)]

    def apply(self, changes: Changes, n_classes: int) -> Tensor:
        """Make changes; return the new (n,) indices of what was added.

        Raises:
            DataError: they do not fit the data; nothing is changed then.
        """
        self.rounds.append(self._checked(changes, n_classes))
        first = len(self)
        self._view()
        return torch.arange(first, len(self))

    def take_back(self) -> None:
        """Undo the last round."""
        self.rounds.pop()
        self._view()

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Take up the rounds that ``Round.state`` told."""
        self.rounds = [Round.of_state(state, self.base.none()) for state in states]
        self._view()

    def fetch(self, index: Tensor) -> SequenceBatch:
        """Return the sequences with these indices, in this order."""
        n, new = len(self.base), index >= len(self.base)
        if not bool(new.any()):
            inputs, lengths = self.base.take(index)
        elif bool(new.all()):
            inputs, lengths = self._added.take(index - n)
        else:
            inputs, lengths = self._mixed(index, new)
        static, beside = self.base.further(self.origin_of(index), inputs.shape[1])
        label = self.label_of(index)
        return SequenceBatch(index, inputs, lengths, label, static, beside, self.base.in_front)

    def origin_of(self, index: Tensor) -> Tensor:
        """Return the (n,) sequences of the base that these are, or were made from."""
        new = index >= len(self.base)
        origin = index.clone()
        origin[new] = self._origin[index[new] - len(self.base)]
        return origin

    def region_of(self, index: Tensor) -> Tensor:
        """Return the (n,) places in ``regions`` of sequences whose edit every epoch draws anew.

        It is -1 of all others.
        """
        new = index >= len(self.base)
        region = torch.full_like(index, -1)
        region[new] = self._region[index[new] - len(self.base)]
        return region

    @property
    def added_origin(self) -> Tensor:
        """(M,) sequences of the base that the added ones were made from, -1 where unknown."""
        return self._origin

    def lengths_of(self, index: Tensor) -> Tensor:
        """Return the (n,) steps of the sequences with these indices."""
        new = index >= len(self.base)
        lengths = self.base.lengths[index.clamp_max(len(self.base) - 1)]
        if bool(new.any()):
            lengths[new] = self._added.lengths[index[new] - len(self.base)]
        return lengths

    def label_of(self, index: Tensor) -> Tensor:
        """Return the (n,) labels of the sequences with these indices."""
        new = index >= len(self.base)
        label = self._label[index.clamp_max(len(self.base) - 1)]
        if bool(new.any()):
            label[new] = self._added_label[index[new] - len(self.base)]
        return label

    def loaded_label_of(self, index: Tensor) -> Tensor:
        """Return the (n,) labels of sequences of the base, whatever was relabelled since."""
        return self._base_label[index]

    def weight_of(self, index: Tensor) -> Tensor | None:
        """Return the (n,) probabilities of being seen in an epoch; None where all are 1."""
        if len(self._reweighted) == 0:
            return None
        weight = torch.ones(len(self), dtype=torch.float64)
        weight[self._reweighted] = self._weight
        return weight[index]

    def _view(self) -> None:
        """Put the rounds together; costs what they hold, not what the base holds."""
        self._added = self.base.none()
        for part in self.rounds:
            self._added = self._added.joined(part.added)
        nothing = torch.empty(0, dtype=torch.int64)
        self._origin = torch.cat([nothing, *(r.origin for r in self.rounds)])
        self._region, self.regions = joined_regions([(r.region, r.regions) for r in self.rounds])
        self._added_label = torch.cat([nothing, *(r.label for r in self.rounds)])
        self.removed = torch.cat([nothing, *(r.removed for r in self.rounds)]).unique()
        self.relabelled = torch.cat([nothing, *(r.relabelled for r in self.rounds)]).unique()
        self.untrusted = torch.cat([nothing, *(r.untrusted for r in self.rounds)]).unique()
        self._reweighted = torch.cat([nothing, *(r.reweighted for r in self.rounds)])
        self._weight = torch.cat([torch.empty(0).double(), *(r.weight for r in self.rounds)])
        self._label = self._base_label
        if any(len(r.relabelled) for r in self.rounds):
            self._label = self._base_label.clone()
            for part in self.rounds:
                own = part.relabelled < len(self.base)
                self._label[part.relabelled[own]] = part.new_label[own]
                self._added_label[part.relabelled[~own] - len(self.base)] = part.new_label[~own]

    def _mixed(self, index: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
        parts = self.base.take(index[~new]), self._added.take(index[new] - len(self.base))
        width = max(inputs.shape[1] for inputs, _ in parts)
        first = parts[0][0]
        inputs = first.new_full((len(index), width, *first.shape[2:]), self._added.padding)
        lengths = torch.empty_like(index)
        for rows, (part, length) in zip((~new, new), parts, strict=True):
            inputs[rows, : part.shape[1]] = part
            lengths[rows] = length
        return inputs, lengths

    def _checked(self, changes: Changes, n_classes: int) -> Round:
        added = self.base.none()
        n_new = 0 if changes.inputs is None else len(changes.inputs)
        if n_new != len(changes.label):
            raise DataError(
                f"Changes has {n_new} inputs and {len(changes.label)} labels: expected as many of "
                "each."
            )
        if changes.inputs is not None:
            added = self.base.like(changes.inputs, changes.lengths)
            check_steps(added, "Changes.inputs")
        named = {name: getattr(changes, name) for name in _numbers()}
        named["origin"] = self._checked_origin(changes)
        named["region"] = _checked_region(changes, named["origin"])
        for name in ("label", "new_label"):
            named[name] = class_numbers(named[name], n_classes, f"Changes.{name}")
        for name in ("removed", "relabelled", "reweighted", "untrusted"):
            index = named[name]
            if len(index) and not (int(index.min()) >= 0 and int(index.max()) < len(self)):
                raise DataError(
                    f"Changes.{name} holds indices {int(index.min())} .. {int(index.max())}, the "
                    f"data have 0 .. {len(self) - 1}."
                )
        for index, value in (("relabelled", "new_label"), ("reweighted", "weight")):
            if len(named[index]) != len(named[value]):
                raise DataError(
                    f"Changes has {len(named[index])} {index} and {len(named[value])} {value}: "
                    "expected as many of each."
                )
        if len(changes.weight) and not bool(((changes.weight >= 0) & (changes.weight <= 1)).all()):
            raise DataError("Weights are probabilities: they must lie in [0, 1].")
        return Round(added, tuple(changes.regions), **named)

    def _checked_origin(self, changes: Changes) -> Tensor:
        """Return the (n,) sequences of the base that new ones were made from."""
        origin = changes.origin
        if origin is None:
            if len(changes.label):
                self.base.check_origins(None, changes.lengths)
            return torch.full((len(changes.label),), -1)
        if len(origin) != len(changes.label):
            raise DataError(
                f"Changes has {len(origin)} origins and {len(changes.label)} labels: expected as "
                "many of each."
            )
        if len(origin) and not (int(origin.min()) >= 0 and int(origin.max()) < len(self)):
            raise DataError(
                f"Changes.origin holds indices {int(origin.min())} .. {int(origin.max())}, the "
                f"data have 0 .. {len(self) - 1}."
            )
        origin = self.origin_of(origin)
        self.base.check_origins(origin, changes.lengths)
        return origin


def _checked_region(changes: Changes, origin: Tensor) -> Tensor:
    """Return the (n,) places of new sequences in the regions, -1 for none."""
    region = torch.full_like(origin, -1) if changes.region is None else changes.region
    if len(region) != len(origin):
        raise DataError(
            f"Changes has {len(region)} entries of region and {len(origin)} labels: expected as "
            "many of each."
        )
    redrawn = region >= 0
    unknown = (region < COPY) | (region >= len(changes.regions))
    if bool(unknown.any()) or bool((origin[redrawn] < 0).any()):
        raise DataError(
            f"Changes.region: expected -1, {COPY} of a copy, or a place in the "
            f"{len(changes.regions)} regions, for a sequence whose origin is given: an epoch edits "
            "its origin."
        )
    return region
