"""The interval of a mean over seeds."""

import numpy as np
from scipy import stats


def interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the t interval of the mean of independent values (NaN for fewer than two)."""
    if len(values) < 2:
        return float("nan"), float("nan")
    half = stats.sem(values) * stats.t.ppf((1 + level) / 2, len(values) - 1)
    return float(values.mean() - half), float(values.mean() + half)
