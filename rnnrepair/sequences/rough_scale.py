"""Roughly where the values of each channel lie, and how far apart: what unscaled data hide."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rnnrepair.sequences.batch import SequenceBatch

Fetch = Callable[[Tensor], SequenceBatch]

# The least and largest spread, as powers of two.
POWERS = (-31, 31)
# Rounded up rather than down, between .87 and 1.74 of the true spread: edits that are searched are
# up to a number of spreads.
UPWARDS = 0.3
# Channels of such a spread and its inverse around 0 count as scaled.
SCALED = 2.0


@dataclass(frozen=True)
class RoughScale:
    """Middle and spread of F channels, as coarse as they can be of use.

    A spread is a power of two, and a middle a whole number of spreads, so that they are the same
    whichever samples are looked at.

    Attributes:
        middle: F numbers.
        spread: F numbers above 0.
    """

    middle: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def of(cls, values: Tensor) -> "RoughScale | None":
        """Return that of (S, F) steps; None where every channel is scaled, at least nearly."""
        values = values.double()
        mean, spread = values.mean(0), values.std(0, correction=0)
        # A channel that never changes is as wide as what it reads.
        constant = spread <= 1e-6 * mean.abs()
        spread = torch.where(constant, torch.where(mean == 0, 1.0, mean.abs()), spread)
        if bool(((mean.abs() <= 1) & (spread >= 1 / SCALED) & (spread <= SCALED)).all()):
            return None
        power = (spread.log2() + UPWARDS).round().clamp(*POWERS)
        spread = torch.exp2(power)
        middle = (mean / spread).round() * spread
        return cls(tuple(middle.tolist()), tuple(spread.tolist()))

    def scaled(self, values: Tensor) -> Tensor:
        """Return (..., F) values less their middle, in spreads."""
        middle, spread = (torch.tensor(part).to(values) for part in (self.middle, self.spread))
        return (values - middle) / spread


def fetching_scaled(fetch: Fetch, scale: RoughScale | None) -> Fetch:
    """Return what fetches the same sequences, scaled, for whoever compares them.

    Args:
        fetch: indices to sequences.
        scale: of their channels; None where nothing is to be scaled.
    """
    if scale is None:
        return fetch

    def scaled(index: Tensor) -> SequenceBatch:
        batch = fetch(index)
        return replace(batch, inputs=scale.scaled(batch.inputs))

    return scaled
