"""The tables of a comparison."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import pandas as pd

from rnnrepair.errors import DataError
from rnnrepair.paired import MIN_PAIRS, holm, interval, sign_flip_p
from rnnrepair.record import Contrast
from rnnrepair.runs.comparison.bootstrap import NO_INTERVAL, Bootstrap
from rnnrepair.runs.comparison.every_arm import every_arm
from rnnrepair.runs.comparison.metrics import is_share, metric_table
from rnnrepair.runs.comparison.runs import Runs


def arm_table(runs: Runs) -> pd.DataFrame:
    """Return a row for each metric and arm.

    Columns: metric, arm, seeds (that measured it), mean, low, high (95 % t interval over seeds, of
    shares the part of it from 0 to 1; NaN with fewer than ``MIN_VALUES`` seeds).
    """
    table = metric_table(runs)
    rows = []
    for metric in table:
        for arm in runs.arms:
            values = table.loc[arm, metric].dropna().to_numpy(float)
            low, high = interval(values)
            if is_share(metric):
                low, high = np.clip([low, high], 0.0, 1.0).tolist()
            mean = values.mean() if len(values) else float("nan")
            rows.append((metric, arm, len(values), mean, low, high))
    return pd.DataFrame(rows, columns=["metric", "arm", "seeds", "mean", "low", "high"])


def contrast_table(runs: Runs, also: Sequence[Contrast] = ()) -> pd.DataFrame:
    """Return a row for each contrast: named in advance, of every arm, and asked for.

    Columns: metric, of, against, pairs (seeds in which both are defined), difference (mean), low,
    high (95 % bootstrap interval), drawn (what the interval was drawn from), p (sign-flip test, NaN
    with fewer than ``MIN_PAIRS`` pairs), p_holm (corrected over the contrasts of the same ``why``),
    why (see ``Why``).

    Args:
        runs: to compare.
        also: exploratory contrasts; they get no p.
    """
    values, bootstrap = metric_table(runs), Bootstrap(runs)
    wanted = {
        Why.NAMED: runs.about.contrasts,
        Why.EVERY_ARM: every_arm(runs),
        Why.ASKED_FOR: also,
    }
    rows = []
    for why, contrasts in wanted.items():
        family = [_row(runs, c, values, bootstrap, why) for c in contrasts]
        corrected = holm(np.array([row["p"] for row in family], float))
        rows += [row | {"p_holm": p} for row, p in zip(family, corrected, strict=True)]
    return pd.DataFrame(rows, columns=_COLUMNS)


class Why(StrEnum):
    """Why a contrast is in the table; each is a family of tests of its own."""

    NAMED = "named in advance"
    EVERY_ARM = "every arm"
    ASKED_FOR = "asked for"


_COLUMNS = [
    *("metric", "of", "against", "pairs", "difference", "low", "high", "drawn"),
    *("p", "p_holm", "why"),
]


def _row(
    runs: Runs, contrast: Contrast, values: pd.DataFrame, bootstrap: Bootstrap, why: Why
) -> dict[str, object]:
    of, against, seeds = _pairs(runs, contrast, values)
    found = bootstrap.interval(contrast, seeds) if seeds else NO_INTERVAL
    tested = why != Why.ASKED_FOR and len(seeds) >= MIN_PAIRS
    p = sign_flip_p(of, against) if tested else float("nan")
    return {
        "metric": contrast.metric,
        "of": contrast.of,
        "against": contrast.against,
        "pairs": len(seeds),
        "difference": float((of - against).mean()) if seeds else float("nan"),
        "low": found.low,
        "high": found.high,
        "drawn": found.drawn,
        "p": p,
        "p_holm": float("nan"),
        "why": why.value,
    }


def _pairs(
    runs: Runs, contrast: Contrast, values: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Return the values of both arms, (n,) each, and the n seeds in which both are defined."""
    seeds = runs.seeds_of(contrast.of, contrast.against)
    if not seeds or contrast.metric not in values:
        return np.empty(0), np.empty(0), []
    of, against = (
        values[contrast.metric].loc[[(arm, seed) for seed in seeds]].to_numpy(float)
        for arm in (contrast.of, contrast.against)
    )
    defined = np.isfinite(of) & np.isfinite(against)
    return of[defined], against[defined], [s for s, d in zip(seeds, defined, strict=True) if d]


def parse_contrast(text: str, runs: Runs) -> Contrast:
    """Return the contrast that a user writes as ``guided-none:test_accuracy``.

    Raises:
        DataError: no such arms or no such metric.
    """
    arms, _, metric = text.partition(":")
    # Names of arms may have dashes themselves.
    readings = [
        (arms[:place], arms[place + 1 :])
        for place, letter in enumerate(arms)
        if letter == "-" and {arms[:place], arms[place + 1 :]} <= set(runs.arms)
    ]
    metrics = list(metric_table(runs))
    if len(readings) != 1 or metric not in metrics:
        raise DataError(
            f"--also must be ARM-ARM:METRIC, such as guided-none:test_accuracy, got {text!r}: the "
            f"arms are {list(runs.arms)}, the metrics are {metrics}."
        )
    return Contrast(*readings[0], metric)
