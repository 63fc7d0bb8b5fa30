"""What is told of paired differences without assuming a distribution, and of many at a time."""

import numpy as np
from scipy import stats

# With fewer pairs no p-value is given: the smallest possible one is 2 / 2^pairs.
MIN_PAIRS = 10
# With fewer values no t interval is given: it would reach far beyond what can be, such as shares
# above 1.
MIN_VALUES = 5
# Up to here all sign patterns are counted, beyond it this many random ones.
MAX_EXACT = 16
RANDOM_PATTERNS = 100_000
# Sums that differ by less than this share of what was summed are equal: without it, the order of
# summation would decide whether a pattern is as extreme as the observed one.
TOLERANCE = 1e-12
# What ``paired_difference`` tells.
PAIRED = ("pairs", "difference", "low", "high", "p")


def sign_flip_p(of: np.ndarray, against: np.ndarray) -> float:
    """Return the two-sided p-value of the sign-flip permutation test of paired values.

    If nothing but chance decided which of a pair came from which arm, every difference had either
    sign with equal chance. p is the share of sign patterns whose mean is as far from 0 as the
    observed one; that one counts, so p is never 0.

    Args:
        of: (n,) values of one arm.
        against: (n,) values of the other.

    Returns:
        p, NaN without pairs.

    Example:
        >>> sign_flip_p(np.array([3.0, 5.0, 4.0]), np.array([1.0, 2.0, 3.0]))
        0.25
    """
    difference = of - against
    if not len(difference):
        return float("nan")
    # Differences of values near 1 carry the rounding of the values, not of the differences.
    slack = TOLERANCE * (np.abs(of) + np.abs(against)).sum()
    sums = np.abs(_signs(len(difference)) @ difference)
    return float((sums >= abs(difference.sum()) - slack).mean())


def paired_difference(of: np.ndarray, against: np.ndarray) -> dict[str, float]:
    """Return what is told of (n,) paired values, one pair a seed; pairs with a NaN are left out.

    Returns:
        ``pairs``; ``difference``, their mean; ``low`` and ``high``, its t interval; ``p`` of the
        sign-flip test, NaN with fewer than ``MIN_PAIRS``.
    """
    both = ~(np.isnan(of) | np.isnan(against))
    of, against = of[both], against[both]
    difference = of - against
    low, high = interval(difference)
    return {
        "pairs": len(difference),
        "difference": float(difference.mean()) if len(difference) else float("nan"),
        "low": low,
        "high": high,
        "p": sign_flip_p(of, against) if len(difference) >= MIN_PAIRS else float("nan"),
    }


def _signs(n: int) -> np.ndarray:
    """Return (P, n) float64 of 1 and -1: all patterns, or random ones behind the observed one."""
    if n <= MAX_EXACT:
        return 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    random = np.random.default_rng(0).integers(2, size=(RANDOM_PATTERNS, n), dtype=np.int8)
    return np.concatenate([np.ones((1, n)), 1.0 - 2.0 * random])


def holm(p: np.ndarray) -> np.ndarray:
    """Return Holm's corrected p-values of one family of tests.

    A test without a p-value (NaN) counts as one of the family and stays without: whether a
    difference passes must not depend on how many of the others have been run so far.

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(np.where(np.isnan(p), np.inf, p), kind="stable")
    factors = np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(factors * p[order]))
    return corrected


def interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the t interval of the mean of independent values.

    NaN for fewer than ``MIN_VALUES``.
    """
    if len(values) < MIN_VALUES:
        return float("nan"), float("nan")
    half = stats.sem(values) * stats.t.ppf((1 + level) / 2, len(values) - 1)
    return float(values.mean() - half), float(values.mean() + half)


def interval_within(
    values: np.ndarray, group: np.ndarray, level: float = 0.95, draws: int = 4000
) -> tuple[float, float]:
    """Return the bootstrap interval of the mean of values, drawn anew within each group.

    Args:
        values: (n,).
        group: (n,) what each belongs to, such as a seed; as many are drawn of each as it has.
        level: of the interval.
        draws: how often.

    Returns:
        Ends of the interval; NaN for fewer than two values.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(0)
    total = np.zeros(draws)
    for name in np.unique(group):
        own = values[group == name]
        total += own[rng.integers(len(own), size=(draws, len(own)))].sum(1)
    low, high = np.quantile(total / len(values), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
