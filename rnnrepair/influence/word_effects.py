"""How words move what the network believes, learnt from its own training traces."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.influence.step_tokens import tokens_in
from rnnrepair.traces import Traces


@dataclass(frozen=True, eq=False)
class WordEffects:
    """Effects of V tokens, by the abstract states before and after them.

    Attributes:
        effect: (V, C) float64 mean change of the log-odds of each class where the token is read; 0
            for tokens that are never read.
        count: (V,) int64 times that each is read.
    """

    effect: Tensor
    count: Tensor

    @classmethod
    def of(cls, traces: Traces, counts: Tensor, n_tokens: int) -> "WordEffects":
        """Take the mean over all steps of N training traces.

        Args:
            traces: with tokens.
            counts: (K, C) step predictions in each abstract state, see ``AbstractModel``.
            n_tokens: V.

        Raises:
            ConfigurationError: the traces hold no tokens.
        """
        token, start = tokens_in(traces).long(), len(counts)
        odds = log_odds(torch.cat([counts, counts.sum(0, keepdim=True)]))
        after = traces.state.long()
        change = odds[after] - odds[traces.previous(after, start)]
        count = token.bincount(minlength=n_tokens)
        total = torch.zeros(n_tokens, counts.shape[1], dtype=torch.float64)
        total.index_add_(0, token, change)
        return cls(total / count.clamp_min(1)[:, None], count)


def log_odds(counts: Tensor) -> Tensor:
    """Return (n, C) float64 log-odds of each class against the others, from (n, C) counts.

    One more count, in the shares that all rows have together, keeps them finite and lets rows of
    few counts say little.
    """
    counts = counts.double()
    share = (counts.sum(0) + 1) / (counts.sum() + counts.shape[1])
    own = counts + share
    return (own / (own.sum(1, keepdim=True) - own)).log()
