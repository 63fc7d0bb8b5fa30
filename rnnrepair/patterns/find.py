"""The search for patterns: what it names, and what is left to look at then."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.difficulty import difficulty
from rnnrepair.patterns.finder import Finder
from rnnrepair.patterns.pattern import Candidate, Pattern, error_of
from rnnrepair.patterns.strata import strata_of
from rnnrepair.patterns.tried import LEAST_FAILURES, Passed, Tried, same_failures
from rnnrepair.patterns.within import told_within
from rnnrepair.seeding import torch_generator

# p from which down a pattern is named, corrected over all that is tried.
LEVEL = 0.01
# Candidates that have passed are looked at more closely until one holds, so many at most.
LOOKS = 5


def find_patterns(
    context: PatternContext,
    finders: Sequence[Finder],
    level: float = LEVEL,
    shuffles: int = 500,
    at_most: int = 5,
) -> list[Pattern]:
    """Name what failures have in common, see ``Search``."""
    return Search(context, finders).named(level, shuffles, at_most)


class Search:
    """Looks among the same candidates for what failures have in common, as strictly as asked."""

    def __init__(self, context: PatternContext, finders: Sequence[Finder]) -> None:
        """Make the candidates, which do not depend on which samples failed.

        Args:
            context: samples and training data, in any order.
            finders: of the kinds of patterns that are looked for.
        """
        self._context = context.ascending()
        # Difficulty takes seconds: nobody asks where nothing can be named.
        enough = context.failures_apart() >= LEAST_FAILURES
        hard = difficulty(self._context) if enough else torch.zeros(len(context))
        # Of all samples, whatever is taken out later: were the rest parted anew, easy samples would
        # come to be compared with hard ones.
        self._stratum = strata_of(hard)
        looking = finders if enough else ()
        self._tried = Tried.of([(f, c) for f in looking for c in f.candidates(self._context, hard)])

    def named(self, level: float = LEVEL, shuffles: int = 500, at_most: int = 5) -> list[Pattern]:
        """Name what failures have in common, the most surprising first.

        The best of all candidates is compared with the best of all after shuffling which samples
        failed among those of similar difficulty. What has passed is looked at more closely (its
        sizes and its members), and is named where it holds. Then it is taken out with all its
        samples, and the rest looked at again, until nothing passes.

        Args:
            level: of the test, corrected over all that is tried.
            shuffles: how often flags are shuffled.
            at_most: patterns.
        """
        context, tried = self._context, self._tried
        open_, found, searches = torch.ones(len(context), dtype=torch.bool), list[Pattern](), 0
        unnamed = open_.clone()
        while tried.candidates and len(found) < at_most:
            rows = open_.nonzero()[:, 0]
            rest, own = context.select(rows), self._stratum[rows]
            if rest.failures_apart() < LEAST_FAILURES:
                break
            stratum = torch.where(open_, self._stratum, -1)
            generator = torch_generator(context.seed, "shuffled failures", searches)
            passed = tried.passed(context, stratum, level, shuffles, generator)
            if not passed.first:
                break
            number, refined = self._first_that_holds(passed, rows, rest, own, unnamed)
            gone = tried.inside[number].clone()
            if refined is not None:
                own_topic = tried.topic(number)
                others = (
                    tried.closer(other, rows, rest, own)
                    for other in passed.others
                    if tried.topic(other) != own_topic
                )
                seen = [other for other in others if other is not None]
                same = [o for o in seen if same_failures(refined.inside, o.inside, rest.failed)]
                inside = _among(rows, refined.inside, len(context))
                pattern = Pattern.of(
                    replace(refined, inside=inside),
                    context.index,
                    context.failed,
                    unnamed & ~inside,
                    passed.p[number],
                    tuple(other.trait for other in same),
                    told_within(refined, tried.groups(rows), rest),
                )
                _add(found, pattern)
                unnamed &= ~inside
                # Of a column just these samples have it: what is left of a quarter whose end was
                # moved is among the others, here as in other splits.
                gone = inside if own_topic[1] else gone | inside
            open_ &= ~gone
            searches += 1
        return found

    def _first_that_holds(
        self, passed: Passed, rows: Tensor, rest: PatternContext, stratum: Tensor, unnamed: Tensor
    ) -> tuple[int, Candidate | None]:
        """Return which of those that have passed holds when seen more closely, and how it is seen.

        The most surprising one, and None, where none does; for the rest see ``Tried.closer``. What
        was taken out without a name still counts: a pattern fails more than all other samples that
        none is named for.
        """
        failed = self._context.failed
        for number in passed.first[:LOOKS]:
            refined = self._tried.closer(number, rows, rest, stratum)
            if refined is None:
                continue
            inside = _among(rows, refined.inside, len(failed))
            if error_of(failed, inside) > error_of(failed, unnamed & ~inside):
                return number, refined
        return passed.first[0], None


def _add(found: list[Pattern], pattern: Pattern) -> None:
    """Add a pattern; what is called as one before is more of that."""
    for place, before in enumerate(found):
        if before.description == pattern.description:
            found[place] = before.joined(pattern)
            return
    found.append(pattern)


def _among(rows: Tensor, inside: Tensor, n: int) -> Tensor:
    """Return (n,) bool of all samples, given (R,) bool of some rows of them."""
    found = torch.zeros(n, dtype=torch.bool)
    found[rows[inside]] = True
    return found


def members_of(
    context: PatternContext, patterns: Sequence[Pattern], finders: Sequence[Finder]
) -> list[Tensor]:
    """Return (S,) bool of each pattern: which other samples have it, and none that came before.

    So it was where they were found: who has several is counted with the first.

    Args:
        context: the other samples, and the training samples that the patterns were found with.
        patterns: found by the finders, in their order.
        finders: those that looked for them.
    """
    by_name = {finder.name: finder for finder in finders}
    left = torch.ones(len(context), dtype=torch.bool)
    found = []
    for pattern in patterns:
        inside = by_name[pattern.kind].again(context, pattern.parameters) & left
        left &= ~inside
        found.append(inside)
    return found
