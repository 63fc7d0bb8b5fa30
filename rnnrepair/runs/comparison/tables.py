"""The tables of a comparison."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rnnrepair.errors import DataError
from rnnrepair.paired import MIN_PAIRS, holm, interval, sign_flip_p
from rnnrepair.record import Contrast
from rnnrepair.runs.comparison.bootstrap import NO_INTERVAL, Bootstrap
from rnnrepair.runs.comparison.metrics import metric_table
from rnnrepair.runs.comparison.runs import Runs


def arm_table(runs: Runs) -> pd.DataFrame:
    """Return a row for each metric and arm.

    Columns: metric, arm, seeds (that measured it), mean, low, high (95 % t interval over seeds).
    """
    table = metric_table(runs)
    rows = []
    for metric in table:
        for arm in runs.arms:
            values = table.loc[arm, metric].dropna().to_numpy(float)
            low, high = interval(values)
            mean = values.mean() if len(values) else float("nan")
            rows.append((metric, arm, len(values), mean, low, high))
    return pd.DataFrame(rows, columns=["metric", "arm", "seeds", "mean", "low", "high"])


def contrast_table(runs: Runs, also: Sequence[Contrast] = ()) -> pd.DataFrame:
    """Return a row for each contrast, those named in advance first.

    Columns: metric, of, against, pairs (seeds in which both are defined), difference (mean), low,
    high (95 % bootstrap interval), drawn (what the interval was drawn from), p (sign-flip test, NaN
    with fewer than ``MIN_PAIRS`` pairs), p_holm (corrected over those named in advance), named.

    Args:
        runs: to compare.
        also: exploratory contrasts; they get no p.
    """
    values, bootstrap = metric_table(runs), Bootstrap(runs)
    named = [_row(runs, c, values, bootstrap, named=True) for c in runs.about.contrasts]
    others = [_row(runs, c, values, bootstrap, named=False) for c in also]
    corrected = holm(np.array([row["p"] for row in named], float))
    for row, p in zip(named, corrected, strict=True):
        row["p_holm"] = p
    return pd.DataFrame([*named, *others], columns=_COLUMNS)


_COLUMNS = [
    *("metric", "of", "against", "pairs", "difference", "low", "high", "drawn"),
    *("p", "p_holm", "named"),
]


def _row(
    runs: Runs, contrast: Contrast, values: pd.DataFrame, bootstrap: Bootstrap, *, named: bool
) -> dict[str, object]:
    of, against, seeds = _pairs(runs, contrast, values)
    found = bootstrap.interval(contrast, seeds) if seeds else NO_INTERVAL
    p = sign_flip_p(of, against) if named and len(seeds) >= MIN_PAIRS else float("nan")
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
        "named": named,
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
