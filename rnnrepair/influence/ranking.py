"""Ranking of all training traces for many failures by table look-up."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, pad

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.distance import StepDistance
from rnnrepair.influence.ties import tie_order
from rnnrepair.traces import Traces, merge_runs

# Queries ranked at a time: the tables then stay in the processor's cache.
QUERY_CHUNK = 32
# Training traces whose nearest one is found before any are sorted, at most.
BLOCK_ROWS = 32


@dataclass(frozen=True)
class Ranking:
    """The most influential training sequences of M queries.

    Attributes:
        row: (M, top) int64 rows of the training traces, nearest first, ties in the order of
            ``tie_order``; -1 where fewer than ``top`` were allowed.
        distance: (M, top) float32; infinite where row is -1.
    """

    row: Tensor
    distance: Tensor


@dataclass(frozen=True)
class _Compared:
    """Training traces that are compared with a query.

    Attributes:
        member: (n, R) int32 rows of each trace in the table of runs.
        lengths: (n,) int64, or (1,) where all are equal.
    """

    member: Tensor
    lengths: Tensor


class TraceIndex:
    """Training traces, prepared for ranking.

    Training traces share most of their short runs. So the distance of a run of two steps to a
    query is computed once per *different* run, then that of four steps from two runs of two, and
    so on, as long as it saves look-ups; what is left to do for each of N traces is to add up a
    few runs instead of T steps.

    Traces are kept in the order of ties, so that breaking a tie by position costs nothing.
    """

    def __init__(
        self, traces: Traces, distance: StepDistance, n_steps: int | None = None, seed: int = 0
    ) -> None:
        """Index the traces.

        Args:
            traces: N training traces.
            distance: between steps.
            n_steps: pad to at least this many steps (those of the longest query).
            seed: of the order of ties.
        """
        self.traces = traces
        self.n_steps = max(int(traces.lengths.max()), n_steps or 0)
        self.distance = distance
        self.table = distance.exact(self.n_steps)
        base = distance.n_codes + 1
        # Rows of the query table: code c at step t stands in row t * base + c.
        code = distance.padded(traces, self.n_steps).long()
        member = code + torch.arange(self.n_steps) * base
        self._levels, member = merge_runs(member, self.n_steps * base)
        self._order = tie_order(traces.index, seed)
        self._place = torch.empty_like(self._order)
        self._place[self._order] = torch.arange(len(traces))
        # int32: the look-ups wait for memory.
        self._member = member.int()[self._order]
        # One number where all lengths are equal: then there is one divisor per query.
        lengths = traces.lengths[self._order]
        self._lengths = lengths[:1] if bool((lengths == lengths[0]).all()) else lengths

    def distances(self, queries: Traces, rows: Tensor | None = None) -> Tensor:
        """Return (n, M) float32 distances of training traces to M queries.

        Args:
            queries: M traces.
            rows: (n,) int64 training traces to compare, all N where None.

        Raises:
            ConfigurationError: a query is longer than the index was built for.
        """
        compared = self._compared(self._place if rows is None else self._place[rows])
        return self._totals(queries, compared).div_(self._divisor(queries, compared))

    def _compared(self, place: Tensor | None) -> _Compared:
        """Return the training traces at some places, or all."""
        if place is None:
            return _Compared(self._member, self._lengths)
        one_length = len(self._lengths) == 1
        return _Compared(self._member[place], self._lengths if one_length else self._lengths[place])

    def _totals(self, queries: Traces, compared: _Compared) -> Tensor:
        """Return (n, M) float32 sums of step distances."""
        longest = int(queries.lengths.max())
        if longest > self.n_steps:
            raise ConfigurationError(
                f"A query has {longest} steps, the index was built for {self.n_steps}: pass "
                "n_steps."
            )
        table = self._query_table(queries)
        for runs, starts in self._levels:
            table = embedding_bag(runs, table, starts, mode="sum")
        return embedding_bag(compared.member, table, mode="sum")

    def _divisor(self, queries: Traces, compared: _Compared) -> Tensor:
        """Return (n, M), or (1, M) where it is the same for all training traces."""
        return torch.atleast_2d(
            self.distance.divisor(compared.lengths[:, None], queries.lengths, self.n_steps)
        )

    def _query_table(self, queries: Traces) -> Tensor:
        """Return (T * A, M): distance of code a to what each query does at step t."""
        code = self.distance.padded(queries, self.n_steps).long()
        table = self.table.index_select(0, code.T.flatten())
        table = table.view(self.n_steps, len(queries), -1).transpose(1, 2)
        # Rows of M neighbours are what embedding_bag reads fast (15 times, on strided memory).
        return table.contiguous().flatten(0, 1)

    def rank(self, queries: Traces, top: int, allowed: Tensor | None = None) -> Ranking:
        """Rank the training traces for each query.

        Args:
            queries: M traces.
            top: how many to return.
            allowed: (N,) bool, training traces that may be returned.
        """
        place = None if allowed is None else allowed[self._order].nonzero()[:, 0]
        rows = self._order if place is None else self._order[place]
        compared = self._compared(place)
        parts = [
            self._rank(queries.select(chunk), top, compared)
            for chunk in torch.arange(len(queries)).split(QUERY_CHUNK)
        ]
        row = torch.cat([p.row for p in parts])
        found = row >= 0
        row[found] = rows[row[found]]
        return Ranking(row, torch.cat([p.distance for p in parts]))

    def _rank(self, queries: Traces, top: int, compared: _Compared) -> Ranking:
        totals, divisor = self._totals(queries, compared), self._divisor(queries, compared)
        if len(divisor) != 1:
            return smallest(totals.div_(divisor), top)
        # One divisor a query: sums have the order of quotients, and few of them need dividing.
        ranking = smallest(totals, top)
        return Ranking(ranking.row, ranking.distance / divisor.T)


def smallest(distance: Tensor, top: int) -> Ranking:
    """Return the ``top`` smallest of each column of (n, M) as (M, top), ties in order of rows.

    The ``top`` smallest values lie in the blocks of rows whose minima are at most the ``top``-th
    smallest minimum. One pass finds the minima; the few values in those blocks that do not exceed
    that bound are then sorted by (distance, row).
    """
    n_rows, n_queries = distance.shape
    kept = min(top, n_rows)
    row = torch.full((n_queries, top), -1)
    best = torch.full((n_queries, top), torch.inf)
    if kept == 0:
        return Ranking(row, best)
    # As many minima as values that are looked at behind them, and so the fewest of both.
    block_rows = max(1, min(BLOCK_ROWS, math.isqrt(n_rows // kept)))
    n_whole = n_rows - n_rows % block_rows
    minima = distance[:n_whole].view(-1, block_rows, n_queries).amin(1)
    if n_whole < n_rows:
        minima = torch.cat([minima, distance[n_whole:].amin(0, keepdim=True)])
    bound = minima.topk(kept, dim=0, largest=False, sorted=False).values.amax(0)
    block, query = (minima <= bound).nonzero(as_tuple=True)
    # In ascending order of rows for each query, which the stable sorts below preserve.
    candidate = (block[:, None] * block_rows + torch.arange(block_rows)).flatten()
    query = query.repeat_interleave(block_rows)
    value = distance[candidate.clamp_max(n_rows - 1), query]
    near = (candidate < n_rows) & (value <= bound[query])
    candidate, query, value = candidate[near], query[near], value[near]
    order = value.argsort(stable=True)
    order = order[query[order].argsort(stable=True)]
    first = torch.searchsorted(query[order], torch.arange(n_queries))
    picked = order[first[:, None] + torch.arange(kept)]
    row[:, :kept], best[:, :kept] = candidate[picked], value[picked]
    return Ranking(row, best)


def rank_rows(distance: Tensor, order: Tensor, top: int, allowed: Tensor | None = None) -> Ranking:
    """Return the ``top`` smallest distances of each query.

    Args:
        distance: (M, N) of M queries to N training samples; infinite ones are not returned.
        order: (N,) rows in the order of ties.
        top: how many to return.
        allowed: (N,) bool, samples that may be returned; all where None.
    """
    kept = order if allowed is None else order[allowed[order]]
    found = smallest_of_rows(distance[:, kept], top)
    row = torch.where(found.distance.isinf(), -1, pad(kept, (0, 1), value=-1)[found.row])
    return Ranking(row, found.distance)


def smallest_of_rows(distance: Tensor, top: int) -> Ranking:
    """Return the ``top`` smallest of each row of (M, n) as (M, top), ties in order of columns."""
    n = distance.shape[1]
    kept = min(top, n)
    nearest, column = distance.topk(min(top + 1, n), largest=False)
    # Of equal ones that do not all have room, the first are taken.
    tied = (
        nearest[:, top - 1] == nearest[:, -1] if n > top > 0 else torch.zeros(0, dtype=torch.bool)
    )
    nearest, column = nearest[:, :kept], column[:, :kept]
    if tied.any():
        first = smallest(distance[tied].T.contiguous(), top)
        nearest[tied], column[tied] = first.distance, first.row
    column, by_column = column.sort(dim=1)
    nearest, by_distance = nearest.gather(1, by_column).sort(dim=1, stable=True)
    column = column.gather(1, by_distance)
    beyond = (0, top - kept)
    return Ranking(pad(column, beyond, value=-1), pad(nearest, beyond, value=torch.inf))
