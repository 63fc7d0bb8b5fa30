"""The search for what all failures of a split have in common."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from rnnrepair.patterns import (
    Finder,
    Pattern,
    PatternContext,
    Search,
    gathering_finders,
    teachable_finders,
)
from rnnrepair.protocols import RepairableData
from rnnrepair.traces import Traces

# p up to which it is told that failures may share something, where nothing is certain.
UNCERTAIN = 0.05

log = logging.getLogger(__name__)


def common_causes(
    data: RepairableData,
    trained_on: Traces,
    traces: Traces,
    finders: Sequence[Finder] | None,
    seed: int,
) -> tuple[tuple[Pattern, ...] | None, Pattern | None, tuple[Pattern, ...]]:
    """Return what all failures of a split share; where nothing, what they may, and where they are.

    None, None and nothing where nobody asks.
    """
    finders = teachable_finders() if finders is None else finders
    if not finders:
        return None, None, ()
    log.info("Looking for what the %d failures have in common", int((~traces.correct).sum()))
    originals = trained_on.index, trained_on.label
    context = PatternContext.of(data, originals, traces, seed)
    search = Search(replace(context, fit=trained_on), finders)
    found = tuple(search.named())
    explained = sum(pattern.size for pattern in found)
    if 2 * explained >= int(context.failed.sum()) > 0:
        return found, None, ()
    # What an edit comes near to may have another cause: where it explains few, inputs may tell.
    gathered = Search(replace(context, fit=trained_on), gathering_finders()).named()
    already = {pattern.description for pattern in found}
    gathered = [pattern for pattern in gathered if pattern.description not in already]
    uncertain = () if found else search.named(UNCERTAIN, at_most=1)
    return found, uncertain[0] if uncertain else None, tuple(gathered)
