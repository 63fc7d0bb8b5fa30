"""From where on samples fail, where a quarter of a column has been found to fail more."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from rnnrepair.patterns.pattern import LEAST_INSIDE

# By how much the log likelihood must grow, for another end than that of the quarter. All ends are
# tried, so it is more than one of them would need: where the quarter is the true end, one draw in
# twenty or fewer exceeds it.
GAIN = 5.0


def sharpened(number: Tensor, failed: Tensor, part: Tensor, cut: float, *, above: bool) -> float:
    """Return the end at which failures part best from other samples.

    Two rates of failure for each part of the samples, inside and outside, are fitted to every cut;
    the likeliest is taken, where it is clearly likelier than the one that was given, and more
    samples fail inside than parts alike fail outside.

    Args:
        number: (n,) float64, NaN for samples without one.
        failed: (n,) bool.
        part: (n,) int64 of samples that are compared with each other, such as their class.
        cut: that was found; samples from it on, or below it, are inside.
        above: whether those from it on are.
    """
    known = ~number.isnan()
    order = number[known].argsort(stable=True)
    value, wrong = number[known][order], failed[known][order].double()
    of_part = one_hot(part[known][order].unique(return_inverse=True)[1]).double()
    # Between two equal values there is no cut.
    places = (value[1:] > value[:-1]).nonzero()[:, 0] + 1
    places = places[(places >= LEAST_INSIDE) & (places <= len(value) - LEAST_INSIDE)]
    given = int((value < cut).sum())
    if len(places) == 0 or not 0 < given < len(value):
        return cut
    every = torch.cat([places, torch.tensor([given])])
    n_below, k_below = (of.cumsum(0)[every - 1] for of in (of_part, of_part * wrong[:, None]))
    n_above, k_above = of_part.sum(0) - n_below, (of_part * wrong[:, None]).sum(0) - k_below
    likely = (_likelihood(k_below, n_below) + _likelihood(k_above, n_above)).sum(1)
    inside, n_inside, k_outside, n_outside = (
        (k_above, n_above, k_below, n_below) if above else (k_below, n_below, k_above, n_above)
    )
    expected = (n_inside * k_outside / n_outside.clamp_min(1)).sum(1)
    likely = torch.where(inside.sum(1) > expected, likely, -torch.inf)
    best = int(likely[:-1].argmax())
    if not float(likely[best] - likely[-1]) >= GAIN:
        return cut
    return float(value[places[best]])


def _likelihood(k: Tensor, n: Tensor) -> Tensor:
    """Return the largest log likelihood of k failures among n samples."""
    rate = k / n.clamp_min(1)
    return torch.xlogy(k, rate) + torch.xlogy(n - k, 1 - rate)
