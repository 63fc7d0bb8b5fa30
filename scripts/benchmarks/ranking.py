"""Ranking all training traces for all failures against the naive reference."""

import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks import naive
from benchmarks.measure import Measure, at_least, at_most, in_turns, seconds_of
from benchmarks.workbench import Analysed, Workbench
from rnnrepair.influence import TraceIndex, step_distance
from rnnrepair.traces import Traces

# Distances may differ by the rounding of sums.
TOLERANCE = 1e-6
TOP = 20
# A ranking takes milliseconds, a naive query tenths of a second.
RANKINGS = 10
NAIVE = {"paper": naive.paper, "aligned": naive.aligned}


def measure(bench: Workbench) -> list[Measure]:
    """Time both distances, and check that the order is the naive one."""
    analysed = bench.analyse()
    rows = []
    for kind in NAIVE:
        rows += _measure_kind(bench, analysed, kind)
    return rows


def _measure_kind(bench: Workbench, analysed: Analysed, kind: str) -> list[Measure]:
    train, queries = (analysed.abstraction.traces[split] for split in ("fit", "repair"))
    distance = step_distance(analysed.model, kind)
    index = TraceIndex(train, distance)
    n_naive = min(bench.options.naive_queries, len(queries))
    seconds = in_turns(
        {
            "build": lambda: seconds_of(lambda: TraceIndex(train, distance)),
            "rank": lambda: _rank_s(index, queries),
            # The published distance is what the original computes, whatever we rank by.
            "naive": lambda: _naive_s(analysed, n_naive),
        },
        bench.options.repeats,
    )
    best = {name: min(s) for name, s in seconds.items()}
    agrees = all(_same_order(analysed, index, kind, i) for i in range(n_naive))
    speed = Measure(
        f"ranking speed, {kind}",
        best["naive"] / best["rank"] if agrees else 0.0,
        "x",
        f"{best['rank'] * 1e3:.3f} ms a failure, naive {best['naive'] * 1e3:,.0f} ms; "
        f"{len(train):,} x {len(queries)}; "
        + ("same order" if agrees else "THE ORDER DIFFERS, so the speed counts as 0"),
        at_least(1500),
        {**seconds, "same_order": agrees},
    )
    build = Measure(f"index build, {kind}", best["build"], "s", "TraceIndex(...)", at_most(1.0))
    return [speed, build]


def _rank_s(index: TraceIndex, queries: Traces) -> float:
    """Return the mean seconds per failure, over about as long as the naive reference runs."""
    start = time.perf_counter()
    for _ in range(RANKINGS):
        index.rank(queries, TOP)
    return (time.perf_counter() - start) / (RANKINGS * len(queries))


def _naive_s(analysed: Analysed, n_queries: int) -> float:
    train, queries = (analysed.abstraction.traces[split] for split in ("fit", "repair"))
    confidence = analysed.model.confidence
    rows = naive.feature_rows(train, confidence)
    one = [queries.select(torch.tensor([i])) for i in range(n_queries)]
    goals = [naive.feature_rows(query, confidence) for query in one]
    start = time.perf_counter()
    for query, goal in zip(one, goals, strict=True):
        naive.paper(train, rows, query, goal)
    return (time.perf_counter() - start) / n_queries


def _same_order(analysed: Analysed, index: TraceIndex, kind: str, i: int) -> bool:
    """Return whether the whole order and the nearest samples are the naive ones, up to ties."""
    reference: Callable[..., tuple[np.ndarray, np.ndarray]] = NAIVE[kind]
    train, queries = (analysed.abstraction.traces[split] for split in ("fit", "repair"))
    query = queries.select(torch.tensor([i]))
    confidence = analysed.model.confidence
    expected, order = reference(
        train,
        naive.feature_rows(train, confidence),
        query,
        naive.feature_rows(query, confidence),
    )
    ours = index.rank(query, len(train)).row[0].numpy()
    is_permutation = np.array_equal(np.sort(ours), np.arange(len(train)))
    is_sorted = bool((np.diff(expected[ours]) >= -TOLERANCE).all())
    limit = expected[order[:TOP]].max() + TOLERANCE
    return is_permutation and is_sorted and bool((expected[ours[:TOP]] <= limit).all())
