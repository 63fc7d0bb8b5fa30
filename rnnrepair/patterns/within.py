"""Where the failures of a pattern gather within it: a device, but with one firmware alone."""

import math
from collections.abc import Sequence

import torch
from scipy.stats import hypergeom
from torch import Tensor

from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.pattern import LEAST_INSIDE, Candidate
from rnnrepair.sequences import Names

# Of an exact test, corrected over all values that are tried.
LEVEL = 0.01
# Share of the failures that have the value, and times as often as those without it they fail.
MOST, TIMES = 0.8, 2.0


def told_within(pattern: Candidate, groups: Sequence[Candidate], context: PatternContext) -> str:
    """Tell which value narrows a pattern: a value of a column, and a class; empty for none.

    Most of its failures have the value, and its samples without it fail at most half as often.

    A cause may need two things at once. Each alone is then named with a low error rate, or one is
    named and the other is what narrows it. Fisher's exact test among the samples of the pattern,
    one of each group, Bonferroni's correction over the values.

    Args:
        pattern: of the R samples of the context.
        groups: of the same samples, by the values of columns.
        context: of them.
    """
    names = Names.of(context.spec)
    classes = [
        Candidate("group", f"class {names.of_class(c)}", context.label == c)
        for c in context.label.unique().tolist()
    ]
    told = [best for some in (groups, classes) if (best := _best_within(pattern, some, context))]
    return f"within it {'; '.join(told)}" if told else ""


def _best_within(pattern: Candidate, groups: Sequence[Candidate], context: PatternContext) -> str:
    """Return the most surprising of some groups, for people; empty where none passes the test."""
    inside, failed = pattern.inside, context.failed
    n, n_failed = int(inside.sum()), int((inside & failed).sum())
    if n_failed == n:
        return ""
    apart = _one_of_each(context.group, inside)
    n_apart, failed_apart = int(apart.sum()), int((apart & failed).sum())
    compared = [g for g in groups if _parts(g.inside & inside, n)]
    best, told = math.log(LEVEL), ""
    for group in compared:
        own = group.inside & inside
        size, having = int(own.sum()), int((own & failed).sum())
        error, elsewhere = having / size, (n_failed - having) / (n - size)
        if having < MOST * n_failed or error < TIMES * elsewhere:
            continue
        drawn = apart & own
        k, m = int((drawn & failed).sum()), int(drawn.sum())
        # In logarithms: of two that are nearly impossible by chance one is less likely.
        p = math.log(len(compared)) + float(hypergeom.logsf(k - 1, n_apart, failed_apart, m))
        if p < best:
            best = p
            told = (
                f"{group.description}: {having} of the {n_failed} failures, error {error:.0%}, "
                f"{elsewhere:.1%} of the other {n - size}"
            )
    return told


def _one_of_each(group: Tensor, inside: Tensor) -> Tensor:
    """Return (R,) bool: the first of the samples of each group that are inside."""
    rows = inside.nonzero()[:, 0]
    number = group[rows].unique(return_inverse=True)[1]
    n_groups = int(number.max()) + 1
    first = torch.full((n_groups,), len(group)).scatter_reduce(0, number, rows, "amin")
    found = torch.zeros_like(inside)
    found[first] = True
    return found


def _parts(own: Tensor, n: int) -> bool:
    """Return whether enough samples of a pattern have a value, and enough have not."""
    return LEAST_INSIDE <= int(torch.count_nonzero(own)) <= n - LEAST_INSIDE
