"""What arms repair where they break no more than the arm that repairs nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from rnnrepair.record import CurvePoint
from rnnrepair.runs.comparison.runs import Run

METRIC = "repaired_share_at_equal_broken"
# The arm that says how much may be broken.
NONE = "none"


def with_equal_broken(runs: Iterable[tuple[Run, Sequence[CurvePoint]]]) -> list[Run]:
    """Return runs with the value of ``METRIC``, where the run and ``none`` of its seed tell it.

    Args:
        runs: each with the networks on its way on the test split, by ascending factor; none where
            it was not interpolated.
    """
    told = list(runs)
    allowed = {
        run.seed: points[-1].newly_broken for run, points in told if run.arm == NONE and points
    }
    return [
        replace(run, values={**run.values, METRIC: share_within(points, allowed[run.seed])})
        if points and run.seed in allowed
        else run
        for run, points in told
    ]


def share_within(points: Sequence[CurvePoint], most: float) -> float:
    """Return the largest repaired share on a curve where at most ``most`` samples are newly broken.

    Between two networks the curve is taken to be straight, as between any two points of it.

    Args:
        points: on one split, the unrepaired network first; at least that one.
        most: from 0 on.

    Returns:
        NaN where the unrepaired network has no failures.
    """
    if points[0].repaired_share is None:
        return float("nan")
    sides = [(point.newly_broken, float(point.repaired_share or 0)) for point in points]
    shares = [share for broken, share in sides if broken <= most]
    for (broken, share), (next_broken, next_share) in pairwise(sides):
        if (broken <= most) != (next_broken <= most):
            part = (most - broken) / (next_broken - broken)
            shares.append(share + part * (next_share - share))
    return max(shares)
