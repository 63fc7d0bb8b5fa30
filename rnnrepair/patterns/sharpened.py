"""From where on samples fail, where a quarter of a column has been found to fail more."""

import torch
from torch import Tensor

from rnnrepair.patterns.pattern import LEAST_INSIDE

# By how much the log likelihood must grow, for another end than that of the quarter: about one
# parameter at a level of .05.
GAIN = 2.0


def sharpened(number: Tensor, failed: Tensor, cut: float, *, above: bool) -> float:
    """Return the end at which failures part best from other samples.

    Two rates of failure, inside and outside, are fitted to every cut; the likeliest is taken, where
    it is clearly likelier than the one that was given, and more samples fail inside.

    Args:
        number: (n,) float64, NaN for samples without one.
        failed: (n,) bool.
        cut: that was found; samples from it on, or below it, are inside.
        above: whether those from it on are.
    """
    known = ~number.isnan()
    order = number[known].argsort(stable=True)
    value, wrong = number[known][order], failed[known][order].double()
    # Between two equal values there is no cut.
    places = (value[1:] > value[:-1]).nonzero()[:, 0] + 1
    places = places[(places >= LEAST_INSIDE) & (places <= len(value) - LEAST_INSIDE)]
    if len(places) == 0:
        return cut
    total = wrong.cumsum(0)
    below, n_below = total[places - 1], places.double()
    rest, n_rest = total[-1] - below, len(value) - n_below
    likely = _likelihood(below, n_below) + _likelihood(rest, n_rest)
    more = rest / n_rest > below / n_below
    likely = torch.where(more == above, likely, -torch.inf)
    given = value < cut
    n_given, k_given = given.sum().double(), wrong[given].sum()
    before = _likelihood(k_given, n_given) + _likelihood(total[-1] - k_given, len(value) - n_given)
    best = int(likely.argmax())
    if float(likely[best] - before) < GAIN:
        return cut
    return float(value[places[best]])


def _likelihood(k: Tensor, n: Tensor) -> Tensor:
    """Return the largest log likelihood of k failures among n samples."""
    return torch.xlogy(k, k / n.clamp_min(1)) + torch.xlogy(n - k, (n - k) / n.clamp_min(1))
