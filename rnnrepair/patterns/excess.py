"""By how much more samples of a candidate fail than samples of similar difficulty do."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from rnnrepair.patterns.group_shuffles import failing_together, held_by_groups

# Added to the variance: a few samples that happen to fail are no pattern.
PRIOR = 4.0
# Candidates compared at a time: in float32 they take 4 bytes a sample.
AT_A_TIME = 512


class Excess:
    """Failure flags, and how often samples of similar difficulty fail."""

    def __init__(self, failed: Tensor, stratum: Tensor, group: Tensor | None = None) -> None:
        """Count failures of the strata.

        Args:
            failed: (S,) bool.
            stratum: (S,) int64, see ``strata_of``; samples below 0 do not count.
            group: (S,) int64, equal where samples fail together, see ``shuffled_groups``; None
                where each stands alone.
        """
        self.counts = stratum >= 0
        self.failed = failed & self.counts
        # One column more takes those that do not count, and is left out.
        self.stratum = one_hot(stratum + 1)[:, 1:].float()
        self.size = self.stratum.sum(0)
        self.rate = (self.failed.float() @ self.stratum) / self.size.clamp_min(1)
        self.number, self.together = torch.arange(len(failed)), 0.0
        own = self.counts.nonzero()[:, 0]
        self.by_group = group is not None and len(group[own].unique()) < len(own)
        if group is not None and self.by_group:
            self.number = group.unique(return_inverse=True)[1]
            rate = self.rate[stratum[own]]
            self.together = failing_together(failed[own], rate, self.number[own])

    def of(self, inside: Tensor) -> Tensor:
        """Return (n,) by how much more failures lie inside than expected, in standard deviations.

        Args:
            inside: (n, S) bool of n candidates.
        """
        failed = self.failed.float()[:, None]
        return torch.cat([self.scaled(p.float(), failed)[:, 0] for p in inside.split(AT_A_TIME)])

    def ratio(self, inside: Tensor) -> Tensor:
        """Return (n,) how many times as often samples inside fail as those outside of their strata.

        Where a stratum lies inside as a whole nothing is outside, and it counts as it is.

        Args:
            inside: (n, S) bool of n candidates.
        """
        return torch.cat([self._ratio(part.float()) for part in inside.split(AT_A_TIME)])

    def _ratio(self, inside: Tensor) -> Tensor:
        number = inside @ self.stratum
        failed = inside @ (self.stratum * self.failed.float()[:, None])
        others = self.size - number
        failed_others = self.rate * self.size - failed
        rate = torch.where(others > 0.5, failed_others, failed) / torch.where(
            others > 0.5, others, number.clamp_min(1)
        )
        return failed.sum(1) / (number * rate).sum(1).clamp_min(1e-9)

    def scaled(self, inside: Tensor, flags: Tensor) -> Tensor:
        """Return the excess by given flags, on the scale of the spread of the own ones.

        Args:
            inside: (n, S) 0 or 1, of n candidates.
            flags: (S, m) 0 or 1, m times which samples fail.

        Returns:
            (n, m) standard deviations.
        """
        number = inside @ self.stratum
        # Whole groups that are shuffled change how many fail in all: that says nothing of a part.
        rates = (self.stratum.T @ flags) / self.size.clamp_min(1)[:, None]
        # Of draws without replacement: a stratum that lies inside as a whole tells nothing.
        spread = number * (self.size - number) / (self.size - 1).clamp_min(1)
        variance = spread @ (self.rate * (1 - self.rate))
        if self.together > 0:
            # Kish's design effect: of many samples of one group each adds little.
            of_group = held_by_groups(inside * self.stratum.sum(1), self.number)
            size = of_group.square().sum(1) / of_group.sum(1).clamp_min(1)
            variance = variance * (1 + (size - 1).clamp_min(0) * self.together)
        return (inside @ flags - number @ rates) / (variance + PRIOR).sqrt()[:, None]
