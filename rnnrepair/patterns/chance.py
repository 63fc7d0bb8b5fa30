"""Whether so many failures have one thing in common by chance: the same search, flags shuffled."""

import torch
from torch import Tensor

from rnnrepair.patterns.excess import AT_A_TIME, Excess
from rnnrepair.patterns.group_shuffles import shuffled_groups


class Chance(Excess):
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
            group: (S,) int64, see ``Excess``.
        """
        super().__init__(failed, stratum, group)
        self.shuffled = torch.zeros(len(failed), shuffles)
        if group is not None and self.by_group:
            own = self.counts.nonzero()[:, 0]
            given = failed[own], self.rate[stratum[own]], group[own]
            self.shuffled[own] = shuffled_groups(*given, shuffles, generator)
            return
        for number in stratum[self.counts].unique().tolist():
            rows = (stratum == number).nonzero()[:, 0]
            n_failed = int(failed[rows].sum())
            drawn = torch.rand(len(rows), shuffles, generator=generator)
            if n_failed > 0:  # of easy samples hardly any stratum has failures to shuffle
                self.shuffled[rows] = (drawn.argsort(0) < n_failed).float()

    def largest_by_chance(self, inside: Tensor, weight: Tensor) -> Tensor:
        """Return the (shuffles,) largest weighted excess with flags shuffled.

        Args:
            inside: (n, S) bool of n candidates.
            weight: (n,) of them.
        """
        parts = (
            (self.scaled(p.float(), self.shuffled) * w[:, None]).amax(0)
            for p, w in zip(inside.split(AT_A_TIME), weight.split(AT_A_TIME), strict=True)
        )
        return torch.stack(list(parts)).amax(0)
