"""The transition index I(q, x): which training sequences take which transition.

Source: RNNRepair equation 2, with two corrections to its code: the last transition (the one that
decides the prediction) is kept, and the map is sparse.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from rnnrepair.traces import Traces


def previous_code(traces: Traces) -> Tensor:
    """Return (S,) int64 codes of the steps before; the first step comes from START (``n_codes``).

    START is none of the K states.
    """
    return traces.previous(traces.code.long(), traces.n_codes)


def transition_keys(traces: Traces) -> Tensor:
    """Return (S,) int64 keys of the transitions (q_{i-1}, y_{i-1}) -> (q_i, y_i)."""
    return previous_code(traces) * (traces.n_codes + 1) + traces.code.long()


@dataclass(frozen=True)
class TransitionIndex:
    """Postings in CSR form: 12 bytes a posting and key at most.

    Attributes:
        key: (U,) int64 ascending keys of the transitions that occur.
        offsets: (U + 1,) int64; key u owns ``row[offsets[u]:offsets[u + 1]]``.
        row: (P,) int32 ascending rows of the training traces that take the transition.
        n_rows: N.
        n_codes: K * C.
    """

    key: Tensor
    offsets: Tensor
    row: Tensor
    n_rows: int
    n_codes: int

    @classmethod
    def build(cls, traces: Traces) -> "TransitionIndex":
        """Index N training traces."""
        rows = torch.arange(len(traces)).repeat_interleave(traces.lengths)
        pair = transition_keys(traces) * len(traces) + rows
        pair = torch.from_numpy(np.unique(pair.numpy()))
        key, count = torch.unique_consecutive(pair // len(traces), return_counts=True)
        offsets = torch.cat([count.new_zeros(1), count.cumsum(0)])
        return cls(key, offsets, (pair % len(traces)).int(), len(traces), traces.n_codes)

    def rows(self, previous: int, code: int) -> Tensor:
        """Return the (n,) int32 rows that go from one code to another; START is ``n_codes``."""
        wanted = previous * (self.n_codes + 1) + code
        place = int(torch.searchsorted(self.key, wanted))
        if place == len(self.key) or int(self.key[place]) != wanted:
            return self.row[:0]
        return self.row[int(self.offsets[place]) : int(self.offsets[place + 1])]

    def shared(self, queries: Traces) -> Tensor:
        """Return (M, N) int32: how many steps of a query are transitions that a row takes too.

        Source: RNNRepair code ("jcard"), last transition included.
        """
        keys = transition_keys(queries)
        place = torch.searchsorted(self.key, keys).clamp_max(len(self.key) - 1)
        known = self.key[place] == keys
        query = torch.arange(len(queries)).repeat_interleave(queries.lengths)
        shape = (len(queries), len(self.key))
        wanted = csr_array(
            (np.ones(int(known.sum()), np.int32), (query[known].numpy(), place[known].numpy())),
            shape,
        )
        taken = csr_array(
            (np.ones(len(self.row), np.int32), self.row.numpy(), self.offsets.numpy()),
            (len(self.key), self.n_rows),
        )
        return torch.from_numpy((wanted @ taken).toarray())
