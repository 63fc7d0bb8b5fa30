"""Whether so many failures have one thing in common by chance: the same search, flags shuffled."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from rnnrepair.patterns.group_shuffles import (
    failing_together,
    held_by_groups,
    shuffled_groups,
)
from rnnrepair.patterns.pattern import Alike

# Where samples of similar difficulty part, as shares of all, hardest first. Parts are so large that
# a pattern of one sample in a hundred does not fill one: it is compared with samples beside it.
# None reaches beyond the harder half: edits are looked for there alone, and what is not looked at
# fails less.
PARTS = (0.04, 0.08, 0.16, 0.32, 0.5)
# Added to the variance: a few samples that happen to fail are no pattern.
PRIOR = 4.0
# Candidates compared at a time: in float32 they take 4 bytes a sample.
AT_A_TIME = 512


def strata_of(difficulty: Tensor) -> Tensor:
    """Return (S,) int64: parts of samples of similar difficulty, 0 the hardest.

    Args:
        difficulty: (S,).
    """
    order = difficulty.argsort(descending=True, stable=True)
    place = torch.arange(len(order), dtype=torch.float64) / len(order)
    stratum = torch.empty_like(order)
    stratum[order] = torch.bucketize(place, torch.tensor(PARTS, dtype=torch.float64), right=True)
    return stratum


def comparable(stratum: Tensor, alike: Alike, label: Tensor) -> Tensor:
    """Return (S,) int64: samples with the same number may be compared.

    Args:
        stratum: (S,) see ``strata_of``; -1 stays.
        alike: what they must have in common.
        label: (S,) int64 classes.
    """
    parts = stratum if alike.by_difficulty else stratum.clamp_max(0)
    of_class = parts * (int(label.max()) + 1) + label
    return torch.where(parts >= 0, of_class, -1) if alike.by_class else parts


class Chance:
    """Failure flags, and what they would be by chance among samples of similar difficulty."""

    def __init__(
        self,
        failed: Tensor,
        stratum: Tensor,
        shuffles: int,
        generator: torch.Generator,
        group: Tensor | None = None,
    ) -> None:
        """Shuffle the flags.

        Args:
            failed: (S,) bool.
            stratum: (S,) int64, see ``strata_of``; samples below 0 do not count.
            shuffles: how often.
            generator: of the shuffles.
            group: (S,) int64, equal where samples fail together, see ``shuffled_groups``; None
                where each stands alone.
        """
        counts = stratum >= 0
        self.failed = failed & counts
        # One column more takes those that do not count, and is left out.
        self.stratum = one_hot(stratum + 1)[:, 1:].float()
        self.size = self.stratum.sum(0)
        self.rate = (self.failed.float() @ self.stratum) / self.size.clamp_min(1)
        self.shuffled = torch.zeros(len(failed), shuffles)
        own = counts.nonzero()[:, 0]
        self.number, self.together = torch.arange(len(failed)), 0.0
        if group is not None and len(group[own].unique()) < len(own):
            self.number = group.unique(return_inverse=True)[1]
            rate = self.rate[stratum[own]]
            given = failed[own], rate, group[own]
            self.shuffled[own] = shuffled_groups(*given, shuffles, generator)
            self.together = failing_together(failed[own], rate, self.number[own])
            return
        for number in stratum[counts].unique().tolist():
            rows = (stratum == number).nonzero()[:, 0]
            n_failed = int(failed[rows].sum())
            drawn = torch.rand(len(rows), shuffles, generator=generator)
            if n_failed > 0:  # of easy samples hardly any stratum has failures to shuffle
                self.shuffled[rows] = (drawn.argsort(0) < n_failed).float()

    def excess(self, inside: Tensor) -> Tensor:
        """Return (n,) by how much more failures lie inside than expected, in standard deviations.

        Args:
            inside: (n, S) bool of n candidates.
        """
        failed = self.failed.float()[:, None]
        return torch.cat([self._of(p.float(), failed)[:, 0] for p in inside.split(AT_A_TIME)])

    def ratio(self, inside: Tensor) -> Tensor:
        """Return (n,) how many times as often samples inside fail as those outside of their strata.

        Where a stratum lies inside as a whole nothing is outside, and it counts as it is.

        Args:
            inside: (n, S) bool of n candidates.
        """
        return torch.cat([self._ratio(part.float()) for part in inside.split(AT_A_TIME)])

    def largest_by_chance(self, inside: Tensor, weight: Tensor) -> Tensor:
        """Return the (shuffles,) largest weighted excess with flags shuffled.

        Args:
            inside: (n, S) bool of n candidates.
            weight: (n,) of them.
        """
        parts = (
            (self._of(p.float(), self.shuffled) * w[:, None]).amax(0)
            for p, w in zip(inside.split(AT_A_TIME), weight.split(AT_A_TIME), strict=True)
        )
        return torch.stack(list(parts)).amax(0)

    def _ratio(self, inside: Tensor) -> Tensor:
        number = inside @ self.stratum
        failed = inside @ (self.stratum * self.failed.float()[:, None])
        others = self.size - number
        failed_others = self.rate * self.size - failed
        rate = torch.where(others > 0.5, failed_others, failed) / torch.where(
            others > 0.5, others, number.clamp_min(1)
        )
        return failed.sum(1) / (number * rate).sum(1).clamp_min(1e-9)

    def _of(self, inside: Tensor, flags: Tensor) -> Tensor:
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
