"""The search for patterns: what is tried, what passes, and what is left to look at."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rnnrepair.patterns.chance import Chance, strata_of
from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.difficulty import difficulty as difficulty_of
from rnnrepair.patterns.finder import Finder
from rnnrepair.patterns.pattern import LEAST_INSIDE, Candidate, Pattern
from rnnrepair.seeding import torch_generator

# Failures that a pattern has at least.
LEAST_FAILURES = 5
# Share of the largest excess from which on a candidate is as surprising as the best.
AS_GOOD = 0.85


def find_patterns(
    context: PatternContext,
    finders: Sequence[Finder],
    level: float = 0.01,
    shuffles: int = 500,
    at_most: int = 5,
) -> list[Pattern]:
    """Name what failures have in common, the most surprising first.

    The best of all candidates is compared with the best of all after shuffling which samples
    failed among those of similar difficulty. What has passed is taken out with all its samples,
    and the rest looked at again, until nothing passes.

    Args:
        context: samples and training data, in any order.
        finders: of the kinds of patterns that are looked for.
        level: of the test, corrected over all that is tried.
        shuffles: how often flags are shuffled.
        at_most: patterns.
    """
    context = context.ascending()
    if int(context.failed.sum()) < LEAST_FAILURES:
        return []
    difficulty = difficulty_of(context)
    tried = [(f, c) for f in finders for c in f.candidates(context, difficulty)]
    if not tried:
        return []
    inside = torch.stack([candidate.inside for _, candidate in tried])
    open_, found = torch.ones(len(context), dtype=torch.bool), list[Pattern]()
    while len(found) < at_most:
        generator = torch_generator(context.seed, "shuffled failures", len(found))
        far = torch.tensor([candidate.far for _, candidate in tried])
        best, p = _best(
            *(inside[:, open_], far, context.failed[open_], difficulty[open_]),
            *(shuffles, generator),
        )
        if best is None or p > level:
            break
        finder, candidate = tried[best]
        refined = finder.refined(context, candidate, difficulty)
        pattern = Pattern.of(_within(refined, open_), context.index, context.failed, p)
        if pattern.size < LEAST_FAILURES:
            break
        found.append(pattern)
        open_ &= ~(refined.inside | candidate.inside)
    return found


def members_of(context: PatternContext, pattern: Pattern, finders: Sequence[Finder]) -> Tensor:
    """Return (S,) bool: which other samples have a pattern.

    Args:
        context: the other samples, and the training samples that it was found with.
        pattern: found by one of the finders.
        finders: those that looked for it.
    """
    (finder,) = (f for f in finders if f.name == pattern.kind)
    return finder.again(context, pattern.parameters)


def _best(
    inside: Tensor,
    far: Tensor,
    failed: Tensor,
    difficulty: Tensor,
    shuffles: int,
    generator: torch.Generator,
) -> tuple[int | None, float]:
    """Return the candidate of largest excess and its p, corrected over all; None where none is.

    Args:
        inside: (n, S) bool.
        far: (n,), see ``Candidate``.
        failed: (S,) bool.
        difficulty: (S,).
        shuffles: how often flags are shuffled.
        generator: of the shuffles.
    """
    # Whether it is large enough is asked of the samples, not of the flags: these are shuffled.
    large = (inside.sum(1) >= LEAST_INSIDE).nonzero()[:, 0]
    if len(large) == 0 or int(failed.sum()) < LEAST_FAILURES:
        return None, 1.0
    chance = Chance(failed, strata_of(difficulty), shuffles, generator)
    excess = chance.excess(inside[large])
    by_chance = chance.largest_by_chance(inside[large])
    p = (1 + int((by_chance >= excess.max()).sum())) / (1 + shuffles)
    # Edits of several kinds bring training samples near to the same failures.
    surprising = excess >= AS_GOOD * excess.max()
    best = int(far[large].masked_fill(~surprising, torch.inf).argmin())
    return int(large[best]), p


def _within(candidate: Candidate, open_: Tensor) -> Candidate:
    """Return a candidate without the samples that another pattern has."""
    return Candidate(
        candidate.kind,
        candidate.told,
        candidate.inside & open_,
        candidate.parameters,
        candidate.samples,
    )
