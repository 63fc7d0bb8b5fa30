"""Products of gradients of an embedding, of which a sequence touches a few rows."""

from dataclasses import dataclass

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
    """M directions in the space of an embedding, by the tokens that any of them has a part in.

    Attributes:
        rows: (M, R, E), what each has of R tokens.
        place: (V,) int64, row of each token, -1 of those in which all directions are 0.
    """

    rows: Tensor
    place: Tensor

    @classmethod
    def of(cls, parts: list[TokenGradients], n_tokens: int) -> "QueryTokens":
        """Sum the gradients of M sequences by token.

        Args:
            parts: of all sequences.
            n_tokens: V.
        """
        read = torch.cat([part.tokens[part.real] for part in parts]).unique()
        place = torch.full((n_tokens,), -1, device=read.device)
        place[read] = torch.arange(len(read), device=read.device)
        summed = []
        for part in parts:
            row = place[part.tokens].clamp_min(0)
            of_part = TokenGradients(row, part.gradient * part.real[:, :, None], part.real)
            summed.append(of_part.rows(len(read)))
        return cls(torch.cat(summed), place)

    def products(self, train: TokenGradients) -> Tensor:
        """Return (M, B) products with the gradients of other sequences."""
        place = self.place[train.tokens]
        row, step = ((place >= 0) & train.real).nonzero(as_tuple=True)
        gradient, place = train.gradient[row, step], place[row, step]
        found = gradient.new_zeros(len(self.rows), len(train.tokens))
        at_once = max(1, CELLS // (len(self.rows) * gradient.shape[1]))
        for start in range(0, len(row), at_once):
            some = slice(start, start + at_once)
            values = torch.einsum("mne,ne->mn", self.rows[:, place[some]], gradient[some])
            found.index_add_(1, row[some], values)
        return found
