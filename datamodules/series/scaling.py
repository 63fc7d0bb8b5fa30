"""Scaling of channels; what is learnt for it is learnt of the fit split alone."""

from dataclasses import dataclass

import numpy as np

WAYS = ("none", "standard", "per_sequence")


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of F channels; one of each, or one of each for every step.

    Attributes:
        mean: (F,) or (S, F) float64.
        deviation: the same.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @property
    def constant(self) -> np.ndarray:
        """Bool, where nothing changes: rounding alone explains the deviation."""
        return self.deviation <= 1e-6 * np.abs(self.mean)


def moments_of(values: np.ndarray, offsets: np.ndarray, rows: np.ndarray) -> Moments:
    """Return what the steps of some sequences tell of each channel.

    Missing values count for nothing; a channel without any value has mean and deviation 0.

    Args:
        values: (S, F).
        offsets: (N + 1,) of the sequences.
        rows: (n,) sequences: the fit split.
    """
    chosen = np.zeros(len(offsets) - 1, dtype=bool)
    chosen[rows] = True
    fit = values[np.repeat(chosen, np.diff(offsets))].astype(np.float64)
    known = ~np.isnan(fit)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, fit, 0).sum(0) / count
    return Moments(mean, np.sqrt((np.where(known, fit - mean, 0) ** 2).sum(0) / count))


def standardised(values: np.ndarray, moments: Moments) -> np.ndarray:
    """Return (S, F) float32 values less their mean, divided by their deviation.

    What is constant becomes 0 (where ``moments`` are of it), missing values stay missing.

    Args:
        values: (S, F).
        moments: of the channels.
    """
    deviation = np.where(moments.constant, np.inf, moments.deviation)
    return ((values - moments.mean) / deviation).astype(np.float32)


def standardised_each(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return (S, F) values of mean 0 and standard deviation 1 by channel within each sequence.

    Channels that are constant in a sequence become 0; missing values stay missing.
    """
    lengths = np.diff(offsets)
    wide = values.astype(np.float64)
    known = ~np.isnan(wide)
    count = np.maximum(np.add.reduceat(known, offsets[:-1], axis=0, dtype=np.int64), 1)
    mean = np.add.reduceat(np.where(known, wide, 0), offsets[:-1], axis=0) / count
    far = np.where(known, wide - np.repeat(mean, lengths, axis=0), 0)
    deviation = np.sqrt(np.add.reduceat(far**2, offsets[:-1], axis=0) / count)
    return standardised(
        values, Moments(*(np.repeat(x, lengths, axis=0) for x in (mean, deviation)))
    )
