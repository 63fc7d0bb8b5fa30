"""Contexts: where training sequences come to the point at which a failure goes wrong.

A failure reads its responsible token in some context: the transitions that led the network there.
Training sequences that come to the same abstract state by the same way are where that token would
have been read alike.

Source: RNNRepair section 4.4, by numbers instead of strings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rnnrepair.influence.step_tokens import tokens_in
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.transitions import previous_code
from rnnrepair.seeding import torch_generator
from rnnrepair.traces import Traces


@dataclass(frozen=True)
class Contexts:
    """Training sequences that come to where M failures go wrong (-1 where there are no more).

    Attributes:
        sample: (M, top) int64 sample indices.
        position: (M, top) int64 step of the sample that ends the context; -1 is before its first.
        run: (M, top) int64 transitions, tokens included, that failure and sample have in common
            up to there; 0 where only the state is the same.
    """

    sample: Tensor
    position: Tensor
    run: Tensor


@dataclass(frozen=True)
class _Candidates:
    """Rows of n training traces, positions among all steps, and lengths of runs; (n,) int64."""

    row: np.ndarray
    position: np.ndarray
    run: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def select(self, chosen: np.ndarray) -> "_Candidates":
        return _Candidates(self.row[chosen], self.position[chosen], self.run[chosen])


class ContextIndex:
    """Postings of training steps by the transition that they end, and of visits by code.

    Memory: 4 bytes a step, 12 bytes a different transition, 8 bytes a first visit of a code.
    """

    def __init__(self, traces: Traces, seed: int = 0) -> None:
        """Index N training traces with tokens.

        Args:
            traces: of the training samples.
            seed: of the order of ties, and of the samples that are drawn.

        Raises:
            ConfigurationError: the traces hold no tokens.
        """
        token = tokens_in(traces)
        self.traces = traces
        self.seed = seed
        self.n_tokens = int(token.max()) + 1
        keys = self._keys(traces).numpy()
        self._code = traces.code.numpy()
        self._token = token.numpy()
        self._start = traces.offsets.numpy()
        order = np.argsort(keys, kind="stable").astype(np.int32)
        keys = keys[order]
        first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        self._key, self._position = keys[first], order
        self._key_start = np.append(first, len(keys)).astype(np.int32)
        self._visit, self._visit_row, self._visit_start = _first_visits(traces)
        self._priority = tie_order(traces.index, seed).argsort().int().numpy()

    @property
    def nbytes(self) -> int:
        """Bytes of the index, the traces themselves not counted."""
        postings = (self._key, self._position, self._key_start)
        visits = (self._visit, self._visit_row, self._visit_start)
        return sum(part.nbytes for part in (*postings, *visits, self._priority))

    def _keys(self, traces: Traces) -> Tensor:
        """Return (S,) int64 numbers of (code before, token, code after)."""
        edge = traces.code.long() * (traces.n_codes + 1) + previous_code(traces)
        return edge * self.n_tokens + tokens_in(traces).long()

    def _key_at(self, position: np.ndarray, row: np.ndarray) -> np.ndarray:
        """Return the keys of some steps of the training traces."""
        first = position == self._start[row]
        before = np.where(first, self.traces.n_codes, self._code[position - 1]).astype(np.int64)
        code = self._code[position].astype(np.int64)
        return (code * (self.traces.n_codes + 1) + before) * self.n_tokens + self._token[position]

    def nearest(
        self, failures: Traces, step: Tensor, top: int, allowed: Tensor, label: Tensor
    ) -> Contexts:
        """Rank training sequences by the run that they share with the context of each failure.

        Longest run first, ties in the order of ``tie_order``.

        Args:
            failures: M traces with tokens.
            step: (M,) the responsible step; its context ends one step before.
            top: how many to return.
            allowed: (N,) bool, training traces that may be returned.
            label: (M,) class whose training traces are returned.
        """
        every = self._every_candidate(failures, step, allowed, label)
        return self._contexts([found.select(self._first(found, top)) for found in every], top)

    def nearest_and_drawn(
        self, failures: Traces, step: Tensor, top: int, allowed: Tensor, label: Tensor
    ) -> tuple[Contexts, Contexts]:
        """Return ``nearest`` and ``drawn``, whose candidates are the same, at the cost of one."""
        nearest, drawn = [], []
        every = self._every_candidate(failures, step, allowed, label)
        for index, found in zip(failures.index.tolist(), every, strict=True):
            nearest.append(found.select(self._first(found, top)))
            drawn.append(found.select(self._draw(found, top, index)))
        return self._contexts(nearest, top), self._contexts(drawn, top)

    def runs(self, failures: Traces, step: Tensor) -> Tensor:
        """Return (M, N) int64 longest runs shared with the context of each failure.

        They are 0 where a training sequence comes to the same state only, -1 where it does not.

        Args:
            failures: M traces with tokens.
            step: (M,) the responsible step; its context ends one step before.
        """
        every = torch.ones(len(self.traces), dtype=torch.bool)
        runs = torch.full((len(failures), len(self.traces)), -1)
        for m, found in enumerate(self._every_candidate(failures, step, every)):
            runs[m, torch.from_numpy(found.row)] = torch.from_numpy(found.run)
        return runs

    def drawn(
        self, failures: Traces, step: Tensor, top: int, allowed: Tensor, label: Tensor
    ) -> Contexts:
        """Draw from the sequences that ``nearest`` ranks, without replacement.

        Only the ranking is dropped: each keeps the place of its own longest run. The order is the
        draw's. Arguments as for ``nearest``.
        """
        every = self._every_candidate(failures, step, allowed, label)
        pairs = zip(failures.index.tolist(), every, strict=True)
        return self._contexts([c.select(self._draw(c, top, i)) for i, c in pairs], top)

    def _draw(self, found: _Candidates, top: int, index: int) -> np.ndarray:
        """Draw candidates of the failure ``index``, each at most once."""
        # The training set grows with every round, so that each round draws anew.
        generator = torch_generator(self.seed, "contexts", len(self.traces), index)
        return torch.randperm(len(found), generator=generator)[:top].numpy()

    def _first(self, found: _Candidates, top: int) -> np.ndarray:
        """Return which candidates have the longest runs, longest first, ties by priority."""
        key = self._priority[found.row] - found.run * len(self.traces)
        if len(key) <= top:
            return key.argsort()
        first = np.argpartition(key, top - 1)[:top]
        return first[key[first].argsort()]

    def _every_candidate(
        self, failures: Traces, step: Tensor, allowed: Tensor, label: Tensor | None = None
    ) -> Iterator[_Candidates]:
        """Yield the candidates of each failure, of any label where none is wanted."""
        wanted: list[int | None] = [None] * len(failures) if label is None else label.tolist()
        usable = {
            c: (allowed if c is None else allowed & (self.traces.label == c)).numpy()
            for c in set(wanted)
        }
        keys = self._failure_keys(failures)
        code, begin = failures.code, failures.offsets[:-1]
        for first, end, c in zip(begin.tolist(), (begin + step).tolist(), wanted, strict=True):
            reached = int(code[end - 1]) if end > first else None
            yield self._candidates(keys[first:end], reached, usable[c])

    def _failure_keys(self, failures: Traces) -> np.ndarray:
        # A token that training never saw has no key: it would pass for another one's.
        known = tokens_in(failures) < self.n_tokens
        return torch.where(known, self._keys(failures), -1).numpy()

    def _candidates(self, keys: np.ndarray, code: int | None, usable: np.ndarray) -> _Candidates:
        """Return all usable traces that come to a code, each at its place, in order of rows.

        The place is the first end of the longest run that a trace shares with the context; the
        first visit of the code where no transition is shared.

        Args:
            keys: (t,) transitions of the context.
            code: that it ends in; None where it is empty.
            usable: (N,) bool.
        """
        if code is None:  # every sequence begins where nothing has been read
            row = np.flatnonzero(usable)
            return _Candidates(row, self._start[row] - 1, np.zeros(len(row), np.int64))
        visits = slice(self._visit_start[code], self._visit_start[code + 1])
        row, position = self._visit_row[visits], self._visit[visits]
        kept = usable[row]
        row, position = row[kept].astype(np.int64), position[kept].astype(np.int64)
        run = np.zeros(len(row), np.int64)
        ends = self._matches(keys, usable)
        if len(ends) == 0:
            return _Candidates(row, position, run)
        # What shares a transition comes to its code. Ends ascend, so that those of a row are one
        # slice, and the first of the longest is the first end that reaches the slice's maximum.
        begin = np.flatnonzero(np.concatenate([[True], ends.row[1:] != ends.row[:-1]]))
        longest = np.maximum.reduceat(ends.run, begin)
        reaches = np.flatnonzero(ends.run == longest.repeat(np.diff(np.append(begin, len(ends)))))
        first = reaches[np.searchsorted(reaches, begin)]
        there = np.searchsorted(row, ends.row[first])
        position[there], run[there] = ends.position[first], longest
        return _Candidates(row, position, run)

    def _matches(self, keys: np.ndarray, usable: np.ndarray) -> _Candidates:
        """Return all ends of common runs: where usable traces take the last transition of keys."""
        place = int(np.searchsorted(self._key, keys[-1]))
        if place == len(self._key) or self._key[place] != keys[-1]:
            nothing = np.zeros(0, np.int64)
            return _Candidates(nothing, nothing, nothing)
        postings = self._position[self._key_start[place] : self._key_start[place + 1]]
        position = postings.astype(np.int64)
        row = np.searchsorted(self._start, position, side="right") - 1
        position, row = position[usable[row]], row[usable[row]]
        run = np.ones(len(position), np.int64)
        alive = np.arange(len(position))
        for back in range(1, len(keys)):
            there = position[alive] - back
            inside = there >= self._start[row[alive]]
            alive, there = alive[inside], there[inside]
            alive = alive[self._key_at(there, row[alive]) == keys[-1 - back]]
            if len(alive) == 0:
                break
            run[alive] = back + 1
        return _Candidates(row, position, run)

    def _contexts(self, chosen: Sequence[_Candidates], top: int) -> Contexts:
        sample = torch.full((len(chosen), top), -1)
        position, run = torch.full_like(sample, -1), torch.zeros_like(sample)
        for m, found in enumerate(chosen):
            n = len(found)
            sample[m, :n] = self.traces.index[torch.from_numpy(found.row)]
            position[m, :n] = torch.from_numpy(found.position - self._start[found.row])
            run[m, :n] = torch.from_numpy(found.run)
        return Contexts(sample, position, run)


def _first_visits(traces: Traces) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return positions and rows of the first visits of each code, by code and row, and offsets."""
    row = torch.arange(len(traces)).repeat_interleave(traces.lengths)
    key = (traces.code.long() * len(traces) + row).numpy()
    unique, first = np.unique(key, return_index=True)
    code, owner = np.divmod(unique, len(traces))
    start = np.searchsorted(code, np.arange(traces.n_codes + 1))
    return first.astype(np.int32), owner.astype(np.int32), start.astype(np.int64)
