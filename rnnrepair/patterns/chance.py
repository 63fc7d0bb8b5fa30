"""Whether so many failures have one thing in common by chance: the same search, flags shuffled."""

import torch
from torch import Tensor

# Parts of samples of similar difficulty, at most, with as many failures each.
STRATA = 10
FAILURES_A_STRATUM = 8
# Added to the variance: a few samples that happen to fail are no pattern.
PRIOR = 4.0
# Candidates compared at a time: in float32 they take 4 bytes a sample.
AT_A_TIME = 512


def strata_of(difficulty: Tensor, failed: Tensor) -> Tensor:
    """Return (S,) int64: parts of similar difficulty with about as many failures each.

    Args:
        difficulty: (S,).
        failed: (S,) bool.
    """
    n_failures = int(failed.sum())
    n_strata = max(1, min(STRATA, n_failures // FAILURES_A_STRATUM))
    order = difficulty.argsort(descending=True, stable=True)
    before = failed[order].long().cumsum(0) - failed[order].long()
    stratum = torch.empty_like(order)
    stratum[order] = (before * n_strata // max(n_failures, 1)).clamp_max(n_strata - 1)
    return stratum


class Chance:
    """Failure flags, and what they would be by chance among samples of similar difficulty."""

    def __init__(
        self, failed: Tensor, stratum: Tensor, shuffles: int, generator: torch.Generator
    ) -> None:
        """Shuffle the flags.

        Args:
            failed: (S,) bool.
            stratum: (S,) int64, see ``strata_of``.
            shuffles: how often.
            generator: of the shuffles.
        """
        self.failed = failed
        self.shuffled = torch.zeros(len(failed), shuffles)
        self.expected = torch.zeros(len(failed))
        for number in stratum.unique().tolist():
            rows = (stratum == number).nonzero()[:, 0]
            n_failed = int(failed[rows].sum())
            order = torch.rand(len(rows), shuffles, generator=generator).argsort(0)
            self.shuffled[rows] = (order < n_failed).float()
            self.expected[rows] = n_failed / len(rows)

    def excess(self, inside: Tensor) -> Tensor:
        """Return (n,) by how much more failures lie inside than expected, in standard deviations.

        Args:
            inside: (n, S) bool of n candidates.
        """
        return self._of(inside.float(), self.failed.float()[:, None])[:, 0]

    def largest_by_chance(self, inside: Tensor) -> Tensor:
        """Return the (shuffles,) largest excess of all candidates with flags shuffled."""
        parts = (self._of(p.float(), self.shuffled).amax(0) for p in inside.split(AT_A_TIME))
        return torch.stack(list(parts)).amax(0)

    def _of(self, inside: Tensor, flags: Tensor) -> Tensor:
        expected = inside @ self.expected
        variance = inside @ (self.expected * (1 - self.expected))
        return (inside @ flags - expected[:, None]) / (variance + PRIOR).sqrt()[:, None]
