"""Edits of every kind and size among the usual ones: what somebody draws who expects anything."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rnnrepair.edits.edit import EditBatch
from rnnrepair.edits.family import EditFamily
from rnnrepair.edits.image_edits import ImageEdits
from rnnrepair.edits.series_edits import SeriesEdits
from rnnrepair.edits.sweep import sweeps_of
from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import DataSpec, Kind
from rnnrepair.settings import Count, Share, check_settings


class SweptEdits:
    """What ``usual`` draws, and in a share of the edits one that searches for patterns try.

    Each kind as often, each size as likely. Whoever augments with it needs no search, and pays for
    all that the data do not have: the control of ``PatternRepair``.
    """

    # Of others there is no sweep of edits that one family applies.
    kinds_of_data = frozenset({Kind.IMAGE, Kind.SERIES})

    def __init__(
        self,
        usual: EditFamily,
        width: Count,
        steps: Count | None,
        share: Share = 0.5,
        kinds: Sequence[str] = (),
    ) -> None:
        """Choose how often.

        Args:
            usual: draws the other edits, ``ImageEdits`` or ``SeriesEdits``.
            width: features of a step of the data.
            steps: of the longest sequence; None where that is not known.
            share: of the edits that are one of those.
            kinds: names of those that are drawn; all where none is named.

        Raises:
            SettingsError: a value is out of range.
            ConfigurationError: there is no such kind, or ``usual`` cannot apply them.
        """
        check_settings(SweptEdits, locals())
        if not isinstance(usual, ImageEdits | SeriesEdits):
            raise ConfigurationError(
                f"usual: expected ImageEdits or SeriesEdits, which apply edits of every kind, got "
                f"{type(usual).__name__}."
            )
        kind = Kind.IMAGE if isinstance(usual, ImageEdits) else Kind.SERIES
        self.usual = usual
        self.share = share
        every = {s.name: s for s in sweeps_of(DataSpec(kind, width, 2, max_steps=steps))}
        if unknown := sorted(set(kinds) - every.keys()):
            raise ConfigurationError(
                f"kinds: {unknown} are no kinds of edits of these data, which are {sorted(every)}."
            )
        self.sweeps = [every[name] for name in kinds or every]
        self.name = usual.name
        self.fits = usual.fits

    @classmethod
    def of(cls, usual: EditFamily, spec: DataSpec) -> EditFamily:
        """Return such edits for sequences of a kind, or ``usual`` where it is of them already.

        Args:
            usual: see ``__init__``.
            spec: of the data.

        Raises:
            ConfigurationError: see ``__init__``.
        """
        if isinstance(usual, cls):
            return usual
        return cls(usual, spec.step_width, spec.max_steps)

    def draw(self, n: int, generator: torch.Generator) -> EditBatch:
        """Draw n edits."""
        parameters = dict(self.usual.draw(n, generator).parameters)
        swept = torch.rand(n, dtype=torch.float64, generator=generator) < self.share
        kind = torch.randint(len(self.sweeps), (n,), generator=generator)
        for number, sweep in enumerate(self.sweeps):
            rows = (swept & (kind == number)).nonzero()[:, 0]
            place = torch.rand(len(rows), dtype=torch.float64, generator=generator)
            drawn = sweep.draw(place, generator).parameters
            for name in parameters.keys() | drawn.keys():
                neutral = torch.full((n,), self.usual.neutral.get(name, 0.0), dtype=torch.float64)
                values = parameters.get(name, neutral).clone()
                values[rows] = drawn.get(name, neutral[rows])
                parameters[name] = values
        return EditBatch(self.usual.name, {name: parameters[name] for name in sorted(parameters)})

    def apply(self, inputs: Tensor, edits: EditBatch, lengths: Tensor | None = None) -> Tensor:
        """Apply edit i to sequence i, see the family of ``usual``."""
        return self.usual.apply(inputs, edits, lengths)
