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
# Spreads from 0 from which on a channel has a zero of its own, such as a pressure or a temperature.
FAR = 4.0
# Share of the recordings, those with a mean far from all others, that have no say in a channel: a
# few in another unit would else be the scale of all. Of several recordings it is one at least.
ODD, SEVERAL = 0.02, 5


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
    def of(cls, values: Tensor, recording: Tensor | None = None) -> "RoughScale | None":
        """Return that of some steps; None where every channel is scaled, at least nearly.

        Args:
            values: (S, F).
            recording: (S,) int64 from 0, which each step is of; None where they are of one.
        """
        values = values.double()
        mean, spread = _mean_and_spread(values, torch.ones_like(values))
        if recording is not None:
            ordinary = _mean_and_spread(values, _ordinary(values, recording))
            # What is there in a few recordings alone is as wide as it is there.
            told = ~_is_constant(*ordinary)
            mean = torch.where(told, ordinary[0], mean)
            spread = torch.where(told, ordinary[1], spread)
        # A channel that never changes is as wide as what it reads.
        constant = _is_constant(mean, spread)
        spread = torch.where(constant, torch.where(mean == 0, 1.0, mean.abs()), spread)
        if bool(((mean.abs() <= 1) & (spread >= 1 / SCALED) & (spread <= SCALED)).all()):
            return None
        power = (spread.log2() + UPWARDS).round().clamp(*POWERS)
        spread = torch.exp2(power)
        middle = (mean / spread).round() * spread
        return cls(tuple(middle.tolist()), tuple(spread.tolist()))

    @property
    def origin(self) -> tuple[float, ...]:
        """F numbers around which values swing: the middle where it is far from 0, else 0."""
        both = zip(self.middle, self.spread, strict=True)
        return tuple(middle if abs(middle) > FAR * spread else 0.0 for middle, spread in both)

    def scaled(self, values: Tensor) -> Tensor:
        """Return (..., F) values less their middle, in spreads."""
        middle, spread = (torch.tensor(part).to(values) for part in (self.middle, self.spread))
        return (values - middle) / spread


def _mean_and_spread(values: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return (F,) weighted means and standard deviations of (S, F) values."""
    n = weight.sum(0)
    mean = (weight * values).sum(0) / n
    return mean, ((weight * (values - mean).square()).sum(0) / n).sqrt()


def _is_constant(mean: Tensor, spread: Tensor) -> Tensor:
    return spread <= 1e-6 * mean.abs()


def _ordinary(values: Tensor, recording: Tensor) -> Tensor:
    """Return (S, F) float64, 0 at the steps of recordings whose mean is far from all others."""
    n_recordings = int(recording.max()) + 1
    sums = torch.zeros(n_recordings, values.shape[1], dtype=values.dtype)
    n_steps = recording.bincount(minlength=n_recordings)[:, None]
    means = sums.index_add(0, recording, values) / n_steps.clamp_min(1)
    far = (means - means.median(0).values).abs().masked_fill(n_steps == 0, 0)
    n_odd = max(int(ODD * n_recordings), 1 if n_recordings >= SEVERAL else 0)
    odd = far.argsort(dim=0, descending=True, stable=True)[:n_odd]
    return torch.ones_like(means).scatter(0, odd, 0.0)[recording]


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
