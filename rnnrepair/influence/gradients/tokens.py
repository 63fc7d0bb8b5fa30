"""Products of gradients of an embedding, of which a sequence touches a few rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

# Numbers gathered at once: bounds the memory to some ten MB.
CELLS = 5_000_000


@dataclass(frozen=True)
class TokenGradients:
    """Gradients of B sequences' losses with respect to what they read.

    Attributes:
        tokens: (B, T) int64.
        gradient: (B, T, E), 0 on padding.
        real: (B, T) bool, whether a step is none of padding.
    """

    tokens: Tensor
    gradient: Tensor
    real: Tensor

    def squared_norms(self) -> Tensor:
        """Return (B,) squared norms of the gradients of the embedding."""
        same = self.tokens[:, :, None] == self.tokens[:, None]
        gram = self.gradient @ self.gradient.transpose(1, 2)
        return (gram * same).sum((1, 2))

    def rows(self, n_tokens: int) -> Tensor:
        """Return the (B, V, E) gradients of the embedding."""
        found = self.gradient.new_zeros(len(self.tokens), n_tokens, self.gradient.shape[2])
        place = self.tokens[:, :, None].expand_as(self.gradient)
        return found.scatter_add_(1, place, self.gradient)


@dataclass(frozen=True)
class QueryTokens:
    """M directions in the space of an embedding, by the tokens that each of them has a part in.

    A direction that is the gradient of a text has a part in the words of that text alone, so the
    pairs of a direction and a token are few beside M times V.

    Attributes:
        rows: (P, E), what one direction has of one token, in ascending order of tokens.
        query: (P,) int64 number of the direction.
        start: (V + 1,) int64, where the pairs of each token begin, and the end.
        n_queries: M.
    """

    rows: Tensor
    query: Tensor
    start: Tensor
    n_queries: int

    @classmethod
    def of(cls, parts: Sequence[TokenGradients], n_tokens: int) -> "QueryTokens":
        """Sum the gradients of M sequences by token.

        Args:
            parts: of all sequences.
            n_tokens: V.
        """
        sizes = torch.tensor([0, *(len(part.tokens) for part in parts)]).cumsum(0).tolist()
        tokens = torch.cat([part.tokens[part.real] for part in parts])
        gradient = torch.cat([part.gradient[part.real] for part in parts])
        query = torch.cat(
            [first + part.real.nonzero()[:, 0] for first, part in zip(sizes, parts, strict=False)]
        )
        return cls._summed(tokens, query, gradient, n_tokens, sizes[-1])

    @classmethod
    def dense(cls, rows: Tensor) -> "QueryTokens":
        """Return (M, V, E) directions that have a part in every token."""
        n_queries, n_tokens, _ = rows.shape
        query = torch.arange(n_queries, device=rows.device).repeat(n_tokens)
        start = n_queries * torch.arange(n_tokens + 1, device=rows.device)
        return cls(rows.transpose(0, 1).flatten(0, 1), query, start, n_queries)

    @classmethod
    def _summed(
        cls, tokens: Tensor, query: Tensor, rows: Tensor, n_tokens: int, n_queries: int
    ) -> "QueryTokens":
        """Return what each direction has of each token, from (n, E) summands."""
        pair, place = (tokens * n_queries + query).unique(return_inverse=True)
        summed = rows.new_zeros(len(pair), rows.shape[1]).index_add_(0, place, rows)
        edges = torch.arange(n_tokens + 1, device=pair.device)
        start = torch.searchsorted(pair // n_queries, edges)
        return cls(summed, pair % n_queries, start, n_queries)

    def scaled(self, factor: Tensor) -> "QueryTokens":
        """Return each direction times its (M,) factor."""
        return replace(self, rows=self.rows * factor[self.query][:, None])

    def mean(self) -> "QueryTokens":
        """Return the mean of all directions as one."""
        n_tokens = len(self.start) - 1
        every = torch.arange(n_tokens, device=self.start.device)
        tokens = every.repeat_interleave(self.start.diff())
        one = torch.zeros_like(self.query)
        return self._summed(tokens, one, self.rows / self.n_queries, n_tokens, 1)

    def products(self, train: TokenGradients) -> Tensor:
        """Return (M, B) products with the gradients of other sequences."""
        row, step = train.real.nonzero(as_tuple=True)
        tokens, gradient = train.tokens[row, step], train.gradient[row, step]
        n_pairs = self.start.diff()[tokens]
        # A reading meets the pairs of its token, which stand one behind the other.
        ends = n_pairs.cumsum(0)
        offset = self.start[tokens] - (ends - n_pairs)
        found = gradient.new_zeros(self.n_queries * len(train.tokens))
        total, at_once = int(ends[-1]) if len(ends) else 0, max(1, CELLS // gradient.shape[1])
        for first in range(0, total, at_once):
            met = torch.arange(first, min(first + at_once, total), device=ends.device)
            reading = torch.searchsorted(ends, met, right=True)
            pair = met + offset[reading]
            values = (self.rows[pair] * gradient[reading]).sum(1)
            found.index_add_(0, self.query[pair] * len(train.tokens) + row[reading], values)
        return found.view(self.n_queries, len(train.tokens))
