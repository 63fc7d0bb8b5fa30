"""All that is tried in a search for patterns, and what of it passes the test against chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from rnnrepair.patterns.chance import Chance
from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.excess import AT_A_TIME, Excess
from rnnrepair.patterns.finder import Finder
from rnnrepair.patterns.group_shuffles import held_by_groups
from rnnrepair.patterns.pattern import LEAST_INSIDE, Alike, Candidate
from rnnrepair.patterns.strata import comparable

# Failures that a pattern has at least, those of one group as one.
LEAST_FAILURES = 5
# Where failures are of fewer groups, hardly anything differs from chance: groups stay whole.
FEW_GROUPS = 20
# Samples inside fail at least so many times as often as those outside that they are compared with.
LEAST_RATIO = 1.5
# Share of shuffles in which the best of a kind reaches less than its unit.
UNIT = 0.99
# Least unit of a kind: one whose best never exceeds chance has none.
LEAST_UNIT = 1e-6
# Share of the failures with either of two things in common that have both: of more than that it is
# said that they are the same.
SAME = 0.5
# What is told exceeds chance at least by this share of what its candidate does.
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
        first: rows of those of one kind, the most surprising first, and before a class what tells
            its failures from its other samples; none where no candidate has passed.
        others: of each topic the row of the most surprising one (see ``Tried.topic``).
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
        weight: (n,), see ``Candidate``.
        alike: n times which samples it is compared with.
        kind: (n,) int64, equal where the finder is, and what samples are compared with.
        wide: (n,) bool, see ``Candidate``.
    """

    candidates: Sequence[tuple[Finder, Candidate]]
    inside: Tensor
    weight: Tensor
    alike: Sequence[Alike]
    kind: Tensor
    wide: Tensor

    @classmethod
    def of(cls, found: Sequence[tuple[Finder, Candidate]]) -> "Tried":
        """Take candidates."""
        every = [candidate.inside for _, candidate in found]
        inside = torch.stack(every) if every else torch.empty(0, 0, dtype=torch.bool)
        kinds = [(finder.name, candidate.alike) for finder, candidate in found]
        number = {kind: n for n, kind in enumerate(dict.fromkeys(kinds))}
        return cls(
            # Rows of the whole: nothing is held twice.
            [(f, replace(c, inside=row)) for (f, c), row in zip(found, inside, strict=True)],
            inside,
            torch.tensor([candidate.weight for _, candidate in found]),
            [candidate.alike for _, candidate in found],
            torch.tensor([number[kind] for kind in kinds]),
            torch.tensor([candidate.wide for _, candidate in found], dtype=torch.bool),
        )

    def groups(self, rows: Tensor) -> list[Candidate]:
        """Return those that the user's own columns make, of some rows of the samples."""
        own = (each for _, each in self.candidates if "column" in each.parameters)
        return [replace(each, inside=each.inside[rows]) for each in own]

    def topic(self, number: int) -> tuple[str, str]:
        """Return what a candidate is about: one kind of things, and of columns which of them."""
        finder, candidate = self.candidates[number]
        return finder.name, str(candidate.parameters.get("column", ""))

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
        unit = torch.full((len(self.kind.unique()),), -torch.inf)
        # In a fixed order, each at the whole level: wide ones only once a narrow one has passed, so
        # that none is more certain than the best of those.
        gate = 0.0
        for wide in (False, True):
            rows = (large & (self.wide == wide)).nonzero()[:, 0]
            chances = self._chances(rows, context, stratum, shuffles, generator)
            found, by_chance = self._excess(rows, chances)
            best = torch.full_like(unit, -torch.inf)
            best = best.scatter_reduce(0, self.kind[rows], found, "amax")
            # Wide ones are measured as narrow ones of their kind are, where there are any.
            unit = torch.where(unit > 0, unit, units_of(by_chance, best))
            scale = unit.clamp_min(LEAST_UNIT)
            excess[rows] = found / scale[self.kind[rows]]
            best_by_chance = (by_chance / scale[:, None]).amax(0)
            above = (best_by_chance >= excess[rows][:, None]).sum(1)
            p[rows] = ((1 + above).double() / (1 + shuffles)).clamp_min(gate)
            gate = float(p.min())
            if not bool((p <= level).any()):
                return Passed((), (), ())
        ranked = excess.argsort(descending=True, stable=True)
        ranked = ranked[p[ranked] <= level]
        of_first = ranked[self.kind[ranked] == self.kind[ranked[0]]]
        best_of: dict[tuple[str, str], int] = {}
        for row in ranked.tolist():
            best_of.setdefault(self.topic(row), row)
        failed = context.failed & (stratum >= 0)
        first = [*self._within_class(ranked.tolist(), failed), *of_first.tolist()]
        return Passed(first, list(best_of.values()), p.tolist())

    def _within_class(self, ranked: Sequence[int], failed: Tensor) -> list[int]:
        """Return what tells the failures of a class from its other samples, where a class is first.

        That is the most surprising candidate of mostly the same failures that is compared within
        classes; none where there is none. A dead channel may make one class fail, and then says
        more than the class.

        Args:
            ranked: rows of those that have passed, the most surprising first.
            failed: (S,) bool, of the samples that count.
        """
        first = ranked[0]
        if self.alike[first].by_class:
            return []
        own = (row for row in ranked[1:] if self.alike[row].by_class)
        same = (row for row in own if same_failures(self.inside[first], self.inside[row], failed))
        return list(islice(same, 1))

    def closer(
        self, number: int, rows: Tensor, rest: PatternContext, stratum: Tensor
    ) -> Candidate | None:
        """Look at a candidate more closely; return what would be told, None where it fails.

        Args:
            number: row of the candidate.
            rows: (R,) rows of the samples that no earlier pattern explains: others have no say in
                what this one is.
            rest: these samples.
            stratum: (R,) int64 parts of similar difficulty.
        """
        finder, candidate = self.candidates[number]
        own = replace(candidate, inside=candidate.inside[rows])
        refined = finder.refined(rest, own, stratum)
        return refined if holds(refined, own, rest, stratum) else None

    def _chances(
        self,
        rows: Tensor,
        context: PatternContext,
        stratum: Tensor,
        shuffles: int,
        generator: torch.Generator,
    ) -> dict[Alike, Chance]:
        """Return the shuffled flags that some candidates are compared with; see ``passed``."""
        return {
            alike: Chance(
                context.failed,
                comparable(stratum, alike, context.label),
                shuffles,
                generator,
                context.group,
            )
            for alike in Alike
            if bool(self._compared(rows, alike).any())
        }

    def _excess(self, rows: Tensor, chances: Mapping[Alike, Chance]) -> tuple[Tensor, Tensor]:
        """Return the weighted excess of some candidates, and the largest of each kind by chance.

        Args:
            rows: (m,) int64, which candidates.
            chances: of those.

        Returns:
            (m,) float32, least where they hardly fail more than others, and (kinds, shuffles).
        """
        excess = torch.full((len(rows),), -torch.inf)
        shuffles = max((chance.shuffled.shape[1] for chance in chances.values()), default=0)
        by_chance = torch.full((len(self.kind.unique()), shuffles), -torch.inf)
        for alike, chance in chances.items():
            compared = self._compared(rows, alike)
            for kind in self.kind[rows[compared]].unique():
                own = (compared & (self.kind[rows] == kind)).nonzero()[:, 0]
                inside, weight = self.inside[rows[own]], self.weight[rows[own]]
                # What hardly fails more than others is nothing to mend, however sure that is.
                seldom = chance.ratio(inside) < LEAST_RATIO
                excess[own] = (chance.of(inside) * weight).masked_fill(seldom, -torch.inf)
                largest = chance.largest_by_chance(inside, weight)
                by_chance[kind] = torch.maximum(by_chance[kind], largest)
        return excess, by_chance

    def _compared(self, rows: Tensor, alike: Alike) -> Tensor:
        """Return (m,) bool: which of the candidates are compared with samples that are so alike."""
        return torch.tensor([self.alike[row] is alike for row in rows.tolist()], dtype=torch.bool)

    def _large(self, counts: Tensor, group: Tensor) -> Tensor:
        """Return (n,) bool: candidates with enough of the samples that count.

        Args:
            counts: (S,) bool.
            group: (S,) int64: samples of one group count once.
        """
        number = group.unique(return_inverse=True)[1]
        held = (held_by_groups(s & counts, number) > 0 for s in self.inside.split(AT_A_TIME))
        return torch.cat([of.sum(1) for of in held]) >= LEAST_INSIDE


def same_failures(one: Tensor, other: Tensor, failed: Tensor) -> bool:
    """Return whether mostly the same failures are inside of (S,) bool and of another."""
    first, second = one & failed, other & failed
    return int((first & second).sum()) > SAME * int((first | second).sum())


def units_of(by_chance: Tensor, best: Tensor) -> Tensor:
    """Return (kinds,) what the best of each kind reaches by chance, once in a hundred times.

    The best of thousands of edits reaches more than the best value of a column.

    Args:
        by_chance: (kinds, shuffles) the largest of each kind.
        best: (kinds,) the largest that was found.
    """
    # What was found counts as one more shuffle: only then does chance treat all alike.
    reached = torch.cat([by_chance, best[:, None]], 1)
    return reached.quantile(UNIT, 1, interpolation="lower")


def holds(
    refined: Candidate, candidate: Candidate, context: PatternContext, stratum: Tensor
) -> bool:
    """Return whether what was seen more closely is as surprising as what has passed the test.

    It is named and told, so it must be large enough, fail so much more often than others as a
    candidate must, and exceed chance as clearly.

    Args:
        refined: the members that would be told.
        candidate: that has passed.
        context: S samples.
        stratum: (S,) int64 parts of similar difficulty.
    """
    if context.failures_apart(refined.inside) < LEAST_FAILURES:
        return False
    parts = comparable(stratum, candidate.alike, context.label)
    excess = Excess(context.failed, parts, context.group)
    both = torch.stack([refined.inside, candidate.inside])
    now, before = excess.of(both).tolist()
    return now >= AS_GOOD * before and float(excess.ratio(both)[0]) >= LEAST_RATIO
