"""Edits of every kind and size among the usual ones: what somebody draws who expects anything."""

from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor

from rnnrepair.edits.edit import EditBatch
from rnnrepair.edits.family import EditFamily, fitted
from rnnrepair.edits.image_edits import ImageEdits
from rnnrepair.edits.series_edits import SeriesEdits
from rnnrepair.edits.sweep import Sweep
from rnnrepair.edits.sweeps import sweep_of, sweeps_of
from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import DataSpec, Kind
from rnnrepair.settings import Share, check_settings


class SweptEdits:
    """What ``usual`` draws, and in a share of the edits one that searches for patterns try.

    Each kind as often, each size as likely. Whoever augments with it needs no search, and pays for
    all that the data do not have: the control of ``PatternRepair``. Which kinds there are, the data
    tell: see ``fitted``.
    """

    # Of others there is no sweep of edits that one family applies.
    kinds_of_data = frozenset({Kind.IMAGE, Kind.SERIES})

    def __init__(self, usual: EditFamily, share: Share = 0.5, kinds: Sequence[str] = ()) -> None:
        """Choose how often.

        Args:
            usual: draws the other edits, ``ImageEdits`` or ``SeriesEdits``.
            share: of the edits that are one of those.
            kinds: names of those that are drawn, see ``sweep_of``; all where none is named.

        Raises:
            SettingsError: a value is out of range.
            ConfigurationError: ``usual`` cannot apply them.
        """
        check_settings(SweptEdits, locals())
        if not isinstance(usual, ImageEdits | SeriesEdits):
            raise ConfigurationError(
                f"usual: expected ImageEdits or SeriesEdits, which apply edits of every kind, got "
                f"{type(usual).__name__}."
            )
        self.usual = usual
        self.share = share
        self.kinds = list(kinds)
        self.sweeps: list[Sweep] = []
        self.name = usual.name
        self.fits = usual.fits

    def fitted(self, spec: DataSpec) -> "SweptEdits":
        """Return the same with the kinds of edits of these data, in their spreads.

        Raises:
            ConfigurationError: there is no such kind.
        """
        every = sweeps_of(spec)
        named = {name: sweep_of(name, spec) for name in self.kinds}
        if unknown := sorted(name for name, sweep in named.items() if sweep is None):
            raise ConfigurationError(
                f"kinds: {unknown} are no kinds of edits of these data, which are "
                f"{sorted(sweep.name for sweep in every)}."
            )
        same = copy(self)
        same.usual = fitted(self.usual, spec)  # type: ignore[assignment]  # of the same class
        same.sweeps = [sweep for sweep in named.values() if sweep is not None] or every
        return same

    def draw(self, n: int, generator: torch.Generator) -> EditBatch:
        """Draw n edits.

        Raises:
            ConfigurationError: nobody has said for which data, see ``fitted``.
        """
        if not self.sweeps:
            raise ConfigurationError(
                "SweptEdits draws the kinds of edits that the data have: fitted(edits, spec) of "
                "rnnrepair.edits tells it which. Data modules and repairs do so by themselves."
            )
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
