"""All that is tried in a search for patterns, and what of it passes the test against chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rnnrepair.patterns.chance import AT_A_TIME, Chance, comparable, strata_of
from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.finder import Finder
from rnnrepair.patterns.group_shuffles import held_by_groups
from rnnrepair.patterns.pattern import LEAST_INSIDE, Alike, Candidate
from rnnrepair.seeding import torch_generator

# Failures that a pattern has at least, those of one group as one.
LEAST_FAILURES = 5
# Where failures are of fewer groups, hardly anything differs from chance: groups stay whole.
FEW_GROUPS = 20
# Samples inside fail at least so many times as often as those outside that they are compared with.
LEAST_RATIO = 1.5
# Share of the largest excess from which on a candidate is as surprising as the best.
AS_GOOD = 0.85


def few_groups_told(n_failures: int, n_apart: int) -> str:
    """Return why nothing may have been found among failures of few groups; empty where many are.

    Args:
        n_failures: of them.
        n_apart: groups that they are of; as many where each stands alone.
    """
    if n_apart >= min(n_failures, FEW_GROUPS):
        return ""
    return (
        f" They are of {n_apart} groups (recordings, copies), and samples of one group fail "
        "together: so few tell hardly any pattern from chance. Give data of more groups."
    )


@dataclass(frozen=True)
class Passed:
    """Candidates that have passed the test.

    Attributes:
        first: rows of the most surprising ones, all of one kind, the nearest first; none where no
            candidate has passed.
        others: of each other kind the row of the nearest of the most surprising ones.
        p: by row, corrected over all candidates.
    """

    first: Sequence[int]
    others: Sequence[int]
    p: Sequence[float]


@dataclass(frozen=True)
class Tried:
    """All candidates of a search, n of them.

    Attributes:
        candidates: each with its finder.
        inside: (n, S) bool; the candidates hold its rows.
        far: (n,), see ``Candidate``.
        alike: n times which samples it is compared with.
        kind: (n,) int64, equal where the finder is.
        wide: (n,) bool, see ``Candidate``.
    """

    candidates: Sequence[tuple[Finder, Candidate]]
    inside: Tensor
    far: Tensor
    alike: Sequence[Alike]
    kind: Tensor
    wide: Tensor

    @classmethod
    def of(cls, found: Sequence[tuple[Finder, Candidate]]) -> "Tried":
        """Take candidates."""
        every = [candidate.inside for _, candidate in found]
        inside = torch.stack(every) if every else torch.empty(0, 0, dtype=torch.bool)
        names = list(dict.fromkeys(finder.name for finder, _ in found))
        return cls(
            # Rows of the whole: nothing is held twice.
            [(f, replace(c, inside=row)) for (f, c), row in zip(found, inside, strict=True)],
            inside,
            torch.tensor([candidate.far for _, candidate in found]),
            [candidate.alike for _, candidate in found],
            torch.tensor([names.index(finder.name) for finder, _ in found]),
            torch.tensor([candidate.wide for _, candidate in found], dtype=torch.bool),
        )

    def passed(
        self,
        context: PatternContext,
        stratum: Tensor,
        level: float,
        shuffles: int,
        generator: torch.Generator,
    ) -> Passed:
        """Test all candidates.

        Args:
            context: of the S samples.
            stratum: (S,) int64 parts of similar difficulty, -1 of samples that do not count.
            level: of the test.
            shuffles: how often flags are shuffled.
            generator: of the shuffles.
        """
        excess = torch.full((len(self.candidates),), -torch.inf)
        p = torch.ones(len(self.candidates), dtype=torch.float64)
        # Whether it is large enough is asked of the samples, not of the flags: these are shuffled.
        large = self._large(stratum >= 0, context.group)
        # In a fixed order, each at the whole level: wide ones only once a narrow one has passed.
        for wide in (False, True):
            asked = large & (self.wide == wide)
            excess[asked], p[asked] = self._tested(asked, context, stratum, shuffles, generator)
            if not bool((p <= level).any()):
                return Passed((), (), ())
        # Edits of several kinds bring training samples near to the same failures.
        excess = excess.masked_fill(p > level, -torch.inf)
        first = int(self.kind[excess.argmax()])
        others = [kind for kind in self.kind[p <= level].unique().tolist() if kind != first]
        return Passed(
            self._surprising(first, excess),
            [self._surprising(kind, excess)[0] for kind in others],
            p.tolist(),
        )

    def closer(
        self, number: int, rows: Tensor, rest: PatternContext, difficulty: Tensor
    ) -> Candidate | None:
        """Look at a candidate more closely; return what would be told, None where it fails.

        Args:
            number: row of the candidate.
            rows: (R,) rows of the samples that no earlier pattern explains: others have no say in
                what this one is.
            rest: these samples.
            difficulty: (R,) of them.
        """
        finder, candidate = self.candidates[number]
        own = replace(candidate, inside=candidate.inside[rows])
        refined = finder.refined(rest, own, difficulty)
        return refined if holds(refined, own, rest, difficulty) else None

    def _surprising(self, kind: int, excess: Tensor) -> list[int]:
        """Return the rows of the most surprising candidates of a kind, the nearest first."""
        of_kind = excess.masked_fill(self.kind != kind, -torch.inf)
        rows = (of_kind >= AS_GOOD * of_kind.max()).nonzero()[:, 0]
        return [int(row) for row in rows[self.far[rows].argsort(stable=True)]]

    def _tested(
        self,
        asked: Tensor,
        context: PatternContext,
        stratum: Tensor,
        shuffles: int,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Return how surprising some candidates are, and their p, corrected over these.

        Args:
            asked: (n,) bool, which m candidates.
            context: see ``passed``, as the next three.
            stratum: of the S samples.
            shuffles: how often flags are shuffled.
            generator: of the shuffles.

        Returns:
            (m,) float32 and (m,) float64.
        """
        excess = torch.full((len(self.candidates),), -torch.inf)
        by_chance = torch.full((shuffles,), -torch.inf)
        for alike in Alike:
            own = torch.tensor([of is alike for of in self.alike], dtype=torch.bool)
            rows = (asked & own).nonzero()[:, 0]
            if len(rows) == 0:
                continue
            parts = comparable(stratum, alike, context.label)
            chance = Chance(context.failed, parts, shuffles, generator, context.group)
            for some in rows.split(AT_A_TIME):
                excess[some] = chance.excess(self.inside[some])
                # What hardly fails more than others is nothing to mend, however sure that is.
                seldom = chance.ratio(self.inside[some]) < LEAST_RATIO
                excess[some[seldom]] = -torch.inf
                largest = chance.largest_by_chance(self.inside[some])
                by_chance = torch.maximum(by_chance, largest)
        excess = excess[asked]
        return excess, (1 + (by_chance >= excess[:, None]).sum(1)).double() / (1 + shuffles)

    def _large(self, counts: Tensor, group: Tensor) -> Tensor:
        """Return (n,) bool: candidates with enough of the samples that count.

        Args:
            counts: (S,) bool.
            group: (S,) int64: samples of one group count once.
        """
        number = group.unique(return_inverse=True)[1]
        held = (held_by_groups(s & counts, number) > 0 for s in self.inside.split(AT_A_TIME))
        return torch.cat([of.sum(1) for of in held]) >= LEAST_INSIDE


def holds(
    refined: Candidate, candidate: Candidate, context: PatternContext, difficulty: Tensor
) -> bool:
    """Return whether what was seen more closely is as surprising as what has passed the test.

    It is named and told, so it must be large enough, fail so much more often than others as a
    candidate must, and exceed chance as clearly.

    Args:
        refined: the members that would be told.
        candidate: that has passed.
        context: S samples.
        difficulty: (S,) of those.
    """
    if context.failures_apart(refined.inside) < LEAST_FAILURES:
        return False
    parts = comparable(strata_of(difficulty), candidate.alike, context.label)
    generator = torch_generator(context.seed, "no shuffles")
    chance = Chance(context.failed, parts, 0, generator, context.group)
    both = torch.stack([refined.inside, candidate.inside])
    now, before = chance.excess(both).tolist()
    return now >= AS_GOOD * before and float(chance.ratio(both)[0]) >= LEAST_RATIO
