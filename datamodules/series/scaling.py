"""Scaling of channels; what is learnt for it is learnt of the fit split alone."""

import numpy as np

WAYS = ("none", "standard", "per_sequence")


def standardised(values: np.ndarray, offsets: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return (S, F) values of mean 0 and standard deviation 1 by channel over some sequences.

    Channels that are constant there become 0. Missing values stay missing and count for nothing.

    Args:
        values: (S, F).
        offsets: (N + 1,) of the sequences.
        rows: (n,) sequences whose steps tell mean and deviation: the fit split.
    """
    chosen = np.zeros(len(offsets) - 1, dtype=bool)
    chosen[rows] = True
    fit = values[np.repeat(chosen, np.diff(offsets))].astype(np.float64)
    known = ~np.isnan(fit)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, fit, 0).sum(0) / count
    spread = np.sqrt((np.where(known, fit - mean, 0) ** 2).sum(0) / count)
    return _scaled(values, mean, spread, np.abs(mean))


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
    spread = np.sqrt(np.add.reduceat(far**2, offsets[:-1], axis=0) / count)
    mean, spread = (np.repeat(x, lengths, axis=0) for x in (mean, spread))
    return _scaled(values, mean, spread, np.abs(mean))


def _scaled(
    values: np.ndarray, mean: np.ndarray, spread: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Return scaled float32 values; a spread that rounding alone explains counts as none."""
    constant = spread <= 1e-6 * size
    return ((values - mean) / np.where(constant, np.inf, spread)).astype(np.float32)
