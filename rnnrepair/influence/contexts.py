"""Contexts: where training sequences come to the point at which a failure goes wrong.

A failure reads its responsible token in some context: the transitions that led the network there.
Training sequences that come to the same abstract state by the same way are where that token would
have been read alike.

Source: RNNRepair section 4.4; experiments reference 8.2 and 8.3, by numbers instead of strings.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
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


class ContextIndex:
    """Postings of training steps by the transition that they end, and of visits by code.

    Memory: 4 bytes a step, 12 bytes a different transition, 4 bytes a first visit of a code.
    """

    def __init__(self, traces: Traces) -> None:
        """Index N training traces with tokens.

        Raises:
            ConfigurationError: the traces hold no tokens.
        """
        token = _tokens(traces)
        self.traces = traces
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
        self._visit, self._visit_start = _first_visits(traces)

    @property
    def nbytes(self) -> int:
        """Bytes of the index, the traces themselves not counted."""
        parts = (self._key, self._position, self._key_start, self._visit, self._visit_start)
        return sum(part.nbytes for part in parts)

    def _keys(self, traces: Traces) -> Tensor:
        """Return (S,) int64 numbers of (code before, token, code after)."""
        edge = traces.code.long() * (traces.n_codes + 1) + previous_code(traces)
        return edge * self.n_tokens + _tokens(traces).long()

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

        Longest run first, ties by row. A sequence counts once, with its first longest run; one
        without a common transition with its first visit of the state.

        Args:
            failures: M traces with tokens.
            step: (M,) the responsible step; its context ends one step before.
            top: how many to return.
            allowed: (N,) bool, training traces that may be returned.
            label: (M,) class whose training traces are returned.
        """
        usable = self._usable(allowed, label)
        keys = self._failure_keys(failures)
        found = []
        for m in range(len(failures)):
            begin, end = int(failures.offsets[m]), int(failures.offsets[m] + step[m]) - 1
            mask = usable[int(label[m])]
            rows, positions, runs = self._matches(keys, begin, end, mask)
            if len(rows) < top:
                more, there = self._visits(failures, begin, end, mask)
                new = ~np.isin(more, rows)
                rows = np.concatenate([rows, more[new]])
                positions = np.concatenate([positions, there[new]])
                runs = np.concatenate([runs, np.zeros(int(new.sum()), np.int64)])
            found.append((rows[:top], positions[:top], runs[:top]))
        return self._contexts(found, top)

    def drawn(
        self, failures: Traces, step: Tensor, top: int, allowed: Tensor, label: Tensor, seed: int
    ) -> Contexts:
        """Draw training sequences that visit the state before the responsible step of each failure.

        Without replacement, the order is the draw's. Arguments as for ``nearest``, and a seed.
        """
        usable = self._usable(allowed, label)
        found = []
        for m in range(len(failures)):
            begin, end = int(failures.offsets[m]), int(failures.offsets[m] + step[m]) - 1
            rows, positions = self._visits(failures, begin, end, usable[int(label[m])])
            # The training set grows with every round, so that each round draws anew.
            generator = torch_generator(seed, "contexts", len(self.traces), int(failures.index[m]))
            order = torch.randperm(len(rows), generator=generator)[:top].numpy()
            found.append((rows[order], positions[order], np.zeros(len(order), np.int64)))
        return self._contexts(found, top)

    def _usable(self, allowed: Tensor, label: Tensor) -> dict[int, np.ndarray]:
        return {c: (allowed & (self.traces.label == c)).numpy() for c in label.unique().tolist()}

    def _failure_keys(self, failures: Traces) -> np.ndarray:
        # A token that training never saw has no key: it would pass for another one's.
        known = _tokens(failures) < self.n_tokens
        return torch.where(known, self._keys(failures), -1).numpy()

    def _matches(
        self, keys: np.ndarray, begin: int, end: int, usable: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return rows, positions and lengths of the longest common runs that end like ``end``."""
        nothing = np.zeros(0, np.int64)
        if end < begin:
            return nothing, nothing, nothing
        place = int(np.searchsorted(self._key, keys[end]))
        if place == len(self._key) or self._key[place] != keys[end]:
            return nothing, nothing, nothing
        postings = self._position[self._key_start[place] : self._key_start[place + 1]]
        position = postings.astype(np.int64)
        row = np.searchsorted(self._start, position, side="right") - 1
        position, row = position[usable[row]], row[usable[row]]
        run = np.ones(len(position), np.int64)
        alive = np.arange(len(position))
        for back in range(1, end - begin + 1):
            there = position[alive] - back
            inside = there >= self._start[row[alive]]
            alive, there = alive[inside], there[inside]
            alive = alive[self._key_at(there, row[alive]) == keys[end - back]]
            if len(alive) == 0:
                break
            run[alive] = back + 1
        # Longest first, then by row and position; of each row the first.
        order = np.lexsort((position, row, -run))
        _, first = np.unique(row[order], return_index=True)
        order = order[np.sort(first)]
        return row[order], position[order], run[order]

    def _visits(
        self, failures: Traces, begin: int, end: int, usable: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and first positions of the traces that come to the code at ``end``."""
        if end < begin:  # every sequence begins where nothing has been read
            rows = np.flatnonzero(usable)
            return rows, self._start[rows] - 1
        code = int(failures.code[end])
        position = self._visit[self._visit_start[code] : self._visit_start[code + 1]].astype(
            np.int64
        )
        row = np.searchsorted(self._start, position, side="right") - 1
        return row[usable[row]], position[usable[row]]

    def _contexts(
        self, found: list[tuple[np.ndarray, np.ndarray, np.ndarray]], top: int
    ) -> Contexts:
        sample = torch.full((len(found), top), -1)
        position, run = torch.full_like(sample, -1), torch.zeros_like(sample)
        for m, (rows, positions, runs) in enumerate(found):
            n = len(rows)
            sample[m, :n] = self.traces.index[torch.from_numpy(rows)]
            position[m, :n] = torch.from_numpy(positions - self._start[rows])
            run[m, :n] = torch.from_numpy(runs)
        return Contexts(sample, position, run)


def _tokens(traces: Traces) -> Tensor:
    if traces.token is None:
        raise ConfigurationError(
            "Contexts are runs of tokens, and these sequences are features: use "
            "influence=similarity and repair=default."
        )
    return traces.token


def _first_visits(traces: Traces) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the first visits of each code, by code and row, and offsets."""
    row = torch.arange(len(traces)).repeat_interleave(traces.lengths)
    key = (traces.code.long() * len(traces) + row).numpy()
    unique, first = np.unique(key, return_index=True)
    start = np.searchsorted(unique // len(traces), np.arange(traces.n_codes + 1))
    return first.astype(np.int32), start.astype(np.int64)
