"""Edits of chosen sizes among the usual ones: what somebody knows of a pattern."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Annotated

import torch
from torch import Tensor

from rnnrepair.edits.channels import spared_channels
from rnnrepair.edits.edit import EditBatch
from rnnrepair.edits.family import fitted, uniform
from rnnrepair.edits.image_edits import ImageEdits
from rnnrepair.edits.middles import around_zero
from rnnrepair.edits.series_edits import SeriesEdits, known_kinds
from rnnrepair.sequences import DataSpec
from rnnrepair.settings import NOT_EMPTY, Share, check_settings

Range = tuple[float, float]


class RangedEdits:
    """What ``usual`` draws, and in a share of the edits some parameters between two ends.

    Where a pattern has a name ("turned by 60 to 90 degrees"), this teaches it:
    ``RangedEdits({"angle": (60, 90)}, ImageEdits())``. What experiments plant into data is drawn by
    it too.
    """

    def __init__(
        self,
        ranges: Annotated[Mapping[str, Range], NOT_EMPTY],
        usual: ImageEdits | SeriesEdits,
        share: Share = 0.5,
        spared: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        """Choose parameters.

        Args:
            ranges: least and largest value of parameters, by the names that edits and ledgers call
                them: ``neutral`` of the family lists them.
            usual: draws everything else.
            share: of the edits that have them.
            spared: channels that these leave alone, see ``SeriesEdits``; of ``usual`` where None.

        Raises:
            SettingsError: ``usual`` has no such parameter, or a value is out of range.
        """
        check_settings(RangedEdits, locals(), _known, _ascending, known_kinds)
        self.ranges = dict(ranges)
        self.usual = usual
        self.share = share
        self.spared = dict(spared or {})
        self.name = usual.name
        self.fits = usual.fits

    def fitted(self, spec: DataSpec) -> "RangedEdits":
        """Return the same for these data, see ``fitted``."""
        same = copy(self)
        same.usual = fitted(self.usual, spec)  # type: ignore[assignment]  # of the same class
        return same

    def draw(self, n: int, generator: torch.Generator) -> EditBatch:
        """Draw n edits, uniform within the limits."""
        drawn = self.usual.draw(n, generator)
        chosen = torch.rand(n, dtype=torch.float64, generator=generator) < self.share
        own = {name: uniform(*ends, n, generator) for name, ends in self.ranges.items()}
        own |= spared_channels(self.spared, n)
        parameters = dict(drawn.parameters)
        for name, values in own.items():
            neutral = torch.full((n,), self.usual.neutral.get(name, 0.0), dtype=torch.float64)
            parameters[name] = torch.where(chosen, values, parameters.get(name, neutral))
        if "magnitude" in own:
            of_nothing = chosen & (own["magnitude"] <= 0)
            parameters |= around_zero(parameters, of_nothing)
        return EditBatch(drawn.name, parameters)

    def apply(self, inputs: Tensor, edits: EditBatch, lengths: Tensor | None = None) -> Tensor:
        """Apply edit i to sequence i, see the family of ``usual``."""
        return self.usual.apply(inputs, edits, lengths)


def _known(ranges: Mapping[str, Range], usual: ImageEdits | SeriesEdits) -> str | None:
    unknown = sorted(set(ranges) - set(usual.neutral))
    if not unknown:
        return None
    return f"{unknown} are no parameters of {usual.name} edits, {sorted(usual.neutral)} are"


def _ascending(ranges: Mapping[str, Range]) -> str | None:
    for name, ends in ranges.items():
        if len(ends) != 2 or ends[0] > ends[1]:
            return f"{name} must have a least and a largest value, got {list(ends)}"
    return None
