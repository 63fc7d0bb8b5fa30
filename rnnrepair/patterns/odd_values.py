"""Values of some samples that few training samples have."""

from collections.abc import Callable

import torch
from torch import Tensor

from rnnrepair.patterns.pattern import Pattern
from rnnrepair.sequences import DataSpec, SequenceBatch
from rnnrepair.sequences.summaries import Usual, looked_at, summaries_of

# Training samples that tell what most of them have.
LEAST = 50
# Differences told.
TOLD = 3
# Share of the training samples beyond what is usual, on either side, and share of the samples of a
# pattern from which on they differ: training may hold a few of them itself.
BEYOND, MOST = 0.05, 0.5
# Edits that do not say how large the values are.
OF_ANY_SIZE = ("dead_", "sign_")


def unlike_inside(
    spec: DataSpec, fetch: Callable[[Tensor], SequenceBatch], training: Tensor, found: Pattern
) -> str:
    """Tell by which values the samples of a pattern differ from training; empty by none.

    Told of a column's value, and of channels that come near to no readings, or to those of the
    other sign: what reads kilopascals instead of pascals is nearly dead. Other patterns say it
    themselves.

    Args:
        spec: of the data.
        fetch: indices to sequences.
        training: (n,) int64 training samples.
        found: in a split.
    """
    edit = str(found.parameters.get("edit", ""))
    if "column" not in found.parameters and not edit.startswith(OF_ANY_SIZE):
        return ""
    told = odd_values(spec, fetch, training, found.inside, BEYOND, MOST)
    return f"Unlike training: {'; '.join(told)}." if told else ""


def odd_values(
    spec: DataSpec,
    fetch: Callable[[Tensor], SequenceBatch],
    training: Tensor,
    index: Tensor,
    beyond: float,
    least: float,
) -> list[str]:
    """Tell which values of samples are mostly beyond those of training, ``TOLD`` at most.

    Args:
        spec: of the data.
        fetch: indices to sequences.
        training: (n,) int64 training samples.
        index: (m,) int64 of the samples.
        beyond: share of the training samples beyond the limits, on either side.
        least: share of the samples beyond them, from which on that is told.
    """
    if len(training) < LEAST:
        return []
    usual = Usual.of(spec, fetch, training)
    values = summaries_of(fetch(looked_at(index)), spec.kind)
    low, high = usual.limits(beyond)
    sides = [("above", torch.gt, high), ("below", torch.lt, low)]
    found = []
    for side, is_beyond, limits in sides:
        here, there = (is_beyond(of, limits).double().mean(0) for of in (values, usual.values))
        shares = zip(limits.tolist(), here.tolist(), there.tolist(), strict=True)
        found += [
            (
                share,
                f"{usual.said(k, side, limit, values[:, k])} in {share:.0%} of its samples "
                f"({own:.1%} of training)",
            )
            for k, (limit, share, own) in enumerate(shares)
            if share >= least
        ]
    return [told for _, told in sorted(found, key=lambda of: -of[0])[:TOLD]]
