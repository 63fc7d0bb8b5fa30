"""Ranking of all training traces for many failures by table look-up."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.distance import StepDistance
from rnnrepair.traces import Traces

# Steps that are looked up together; training traces share most of their short runs.
SEGMENT_STEPS = 4
# Queries ranked at a time: the tables then stay in the processor's cache.
QUERY_CHUNK = 32


@dataclass(frozen=True)
class Ranking:
    """The most influential training sequences of M queries.

    Attributes:
        row: (M, top) int64 rows of the training traces, nearest first, ties by row; -1 where
            fewer than ``top`` were allowed.
        distance: (M, top) float32 mean distance per step; infinite where row is -1.
    """

    row: Tensor
    distance: Tensor


class TraceIndex:
    """Training traces, prepared for ranking.

    Each trace is cut into segments of a few steps. A segment occurs in many traces, so its
    distance to a query is computed once per *different* segment and looked up per trace: the
    work falls from N * T to N * T / 4 plus the number of different segments.
    """

    def __init__(self, traces: Traces, distance: StepDistance, n_steps: int | None = None) -> None:
        """Index the traces.

        Args:
            traces: N training traces.
            distance: between steps.
            n_steps: pad to at least this many steps (those of the longest query).
        """
        self.traces = traces
        self.n_steps = max(int(traces.lengths.max()), n_steps or 0)
        self.distance = distance
        self.table = distance.exact(self.n_steps)
        padded = traces.padded_code(self.n_steps).long()
        base = distance.n_codes + 1
        patterns, members, first = [], [], 0
        for start in range(0, self.n_steps, SEGMENT_STEPS):
            segment = padded[:, start : start + SEGMENT_STEPS]
            powers = base ** torch.arange(segment.shape[1])
            keys, member = torch.unique((segment * powers).sum(1), return_inverse=True)
            # One row per different segment, as positions in the (T * A) rows of query_table.
            steps = torch.arange(start, start + segment.shape[1])
            patterns.append(keys[:, None] // powers % base + steps * base)
            members.append(member + first)
            first += len(keys)
        self._patterns = patterns
        self._member = torch.stack(members, 1)

    def distances(self, queries: Traces) -> Tensor:
        """Return (N, M) float32 mean distances of every training trace to M queries.

        Raises:
            ConfigurationError: a query is longer than the index was built for.
        """
        longest = int(queries.lengths.max())
        if longest > self.n_steps:
            raise ConfigurationError(
                f"A query has {longest} steps, the index was built for {self.n_steps}: pass "
                "n_steps."
            )
        code = queries.padded_code(self.n_steps).long()
        # (T * A, M): distance of code a to what each query does at step t.
        query_table = self.table[code.T].permute(0, 2, 1).reshape(-1, len(queries))
        segment_table = torch.cat(
            [embedding_bag(p, query_table, mode="sum") for p in self._patterns]
        )
        total = embedding_bag(self._member, segment_table, mode="sum")
        if not self.distance.masked:
            return total / self.n_steps
        common = torch.minimum(self.traces.lengths[:, None], queries.lengths)
        return total / common

    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Rank the training traces for each query.

        Args:
            queries: M traces.
            top: how many to return.
            allowed: (N,) bool, training traces that may be returned.
        """
        parts = []
        for rows in torch.arange(len(queries)).split(QUERY_CHUNK):
            distance = self.distances(queries.select(rows)).T.contiguous()
            if allowed is not None:
                distance.masked_fill_(~allowed, torch.inf)
            parts.append(_smallest(distance, top))
        row = torch.cat([p.row for p in parts])
        return Ranking(row, torch.cat([p.distance for p in parts]))


def _smallest(distance: Tensor, top: int) -> Ranking:
    """Return the ``top`` smallest of each row of (M, N), ties by column.

    topk alone breaks ties as it likes, so it only supplies the threshold; the few columns at or
    below it are then sorted by (distance, column).
    """
    n_queries, n_columns = distance.shape
    kept = min(top, n_columns)
    threshold = distance.topk(kept, largest=False, sorted=False).values.amax(1)
    query, column = (distance <= threshold[:, None]).nonzero(as_tuple=True)
    value = distance[query, column]
    order = value.argsort(stable=True)
    order = order[query[order].argsort(stable=True)]
    query, column, value = query[order], column[order], value[order]
    first = torch.searchsorted(query, torch.arange(n_queries))
    picked = first[:, None] + torch.arange(kept)
    row, best = column[picked], value[picked]
    row = row.masked_fill(best.isinf(), -1)
    if kept < top:
        row = torch.nn.functional.pad(row, (0, top - kept), value=-1)
        best = torch.nn.functional.pad(best, (0, top - kept), value=torch.inf)
    return Ranking(row, best)


def rank_by_label(
    index: TraceIndex, queries: Traces, query_label: Tensor, top: int, allowed: Tensor
) -> Ranking:
    """Rank, for each query, the allowed training traces that carry the query's label.

    Args:
        index: the training traces.
        queries: M traces.
        query_label: (M,) class whose training traces are ranked.
        top: how many to return.
        allowed: (N,) bool.
    """
    row = torch.full((len(queries), top), -1)
    distance = torch.full((len(queries), top), torch.inf)
    for label in query_label.unique():
        chosen = query_label == label
        ranking = index.rank(queries.select(chosen), top, allowed & (index.traces.label == label))
        row[chosen], distance[chosen] = ranking.row, ranking.distance
    return Ranking(row, distance)
