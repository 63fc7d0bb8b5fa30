"""Channels that read as in training, but for a factor or an offset: perhaps in another unit."""

from collections.abc import Callable

from torch import Tensor

from rnnrepair.patterns.pattern import Pattern
from rnnrepair.sequences import DataSpec, Kind, Names, SequenceBatch
from rnnrepair.sequences.summaries import Usual, looked_at, means_and_spreads
from rnnrepair.sequences.written import written

# How far two factors may be apart to count as one, and how far one is from 1, at least.
SAME, OTHER = 1.15, 1.5
# Usual distances between the means of recordings: what lies so far from training is moved, what
# lies as far from 0 has a mean that says something.
FAR = 5.0


def other_unit(
    spec: DataSpec, fetch: Callable[[Tensor], SequenceBatch], training: Tensor, found: Pattern
) -> str:
    """Tell of channels that the samples of a pattern have in another unit, empty of none.

    In another unit mean and spread are changed by the same factor (kilopascals for pascals), or the
    mean is moved and the spread is as in training (degrees Celsius for kelvins).

    Args:
        spec: of the data.
        fetch: indices to sequences.
        training: (n,) int64 training samples.
        found: in a split.
    """
    if spec.kind != Kind.SERIES or len(found.inside) == 0:
        return ""
    usual = Usual.of(spec, fetch, training)
    here = means_and_spreads(fetch(looked_at(found.inside)), spec.kind)
    n_channels, names = here.shape[1] // 2, Names.of(spec)
    told = []
    for c in range(n_channels):
        means, spreads = usual.values[:, c], usual.values[:, n_channels + c]
        mean, spread = float(means.median()), float(spreads.median())
        own_mean, own_spread = here[:, c].median(), here[:, n_channels + c].median()
        apart = float((means - mean).abs().median())
        if min(spread, float(own_spread), apart) <= 0:
            continue
        factor = float(own_spread) / spread
        by_factor = float(own_mean) / mean if abs(mean) > FAR * apart else 0.0
        # Of the other sign they are no other unit.
        moved, opposite = float(own_mean) - mean, float(own_mean) + mean
        channel = f"channel {names.of_channel(c)}"
        if _alike(factor, by_factor) and not _alike(factor, 1.0, OTHER):
            told.append(
                f"{channel} reads {by_factor:.3g} times what it does in training (mean and spread)"
            )
        elif _alike(factor, 1.0) and min(abs(moved), abs(opposite)) > FAR * max(spread, apart):
            side = "higher" if moved > 0 else "lower"
            told.append(
                f"{channel} reads {written(abs(moved), apart)} {side} than in training, with the "
                "same spread"
            )
    return f"Perhaps in another unit, or amplified otherwise: {'; '.join(told)}." if told else ""


def _alike(one: float, other: float, at_most: float = SAME) -> bool:
    """Return whether two numbers are, but for a factor near 1, the same."""
    return other > 0 and one > 0 and 1 / at_most <= one / other <= at_most
