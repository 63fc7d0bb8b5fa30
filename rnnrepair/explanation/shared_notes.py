"""What is told of what failures have in common."""

from rnnrepair.explanation.findings import Findings
from rnnrepair.explanation.indented import indented
from rnnrepair.explanation.pattern_notes import or_wrong_labels, rare_in_training
from rnnrepair.patterns import LEAST_FAILURES, LEVEL, Pattern, few_groups_told


def shared_told(found: Findings) -> list[str]:
    """Say what the failures of the split have in common, a line each."""
    if found.patterns is None or found.n_failures == 0:
        return []
    return [*_in_common(found), *([found.by_group] if found.by_group else [])]


def gathered_told(found: Findings, *, first: bool) -> list[str]:
    """Say where failures gather beside patterns, a line each.

    Args:
        found: see ``Findings``.
        first: those with more failures and a higher error than every pattern, which say more
            than the patterns do; else all others.
    """
    return [
        _told(found, "Where failures gather", pattern)
        for pattern in found.gathered
        if first
        == all(
            pattern.size > other.size and pattern.error_inside > other.error_inside
            for other in found.patterns or ()
        )
    ]


def notes_on(found: Findings, pattern: Pattern) -> str:
    """Say of a pattern how rare it is in training, and what else may be why; or nothing."""
    return " ".join(_notes(found, pattern))


def _notes(found: Findings, pattern: Pattern) -> list[str]:
    index = [failure.index for failure in found.failures]
    notes = [
        rare_in_training(pattern, found.searched, int(found.confused.sum()), found.split),
        *found.known.get(pattern.description, ()),
        or_wrong_labels(pattern, index, found.doubt.suspect),
    ]
    return [note for note in notes if note]


def _in_common(found: Findings) -> list[str]:
    if found.n_apart < LEAST_FAILURES:
        apart = (
            ""
            if found.n_apart == found.n_failures
            else f" that are no copies, nor of one group, and these are of {found.n_apart}"
        )
        needed = f"where there are {LEAST_FAILURES} or more{apart}."
        return [f"What failures share is looked for {needed}"]
    if not found.patterns:
        nothing = (
            "The failures share no edit, no word and no value of a column more than chance "
            "explains."
            f"{few_groups_told(found.n_failures, found.n_apart)}"
        )
        gathered = (
            _told(found, "Where they gather all the same", pattern) for pattern in found.gathered
        )
        return [nothing, *gathered, *_perhaps_told(found.perhaps)]
    shared = [_told(found, "What failures share", pattern) for pattern in found.patterns]
    return [*gathered_told(found, first=True), *shared, *gathered_told(found, first=False)]


def _told(found: Findings, how: str, pattern: Pattern) -> str:
    return indented(f"{how}: {pattern.name} (p {pattern.p:.3f}).", *_notes(found, pattern))


def _perhaps_told(perhaps: Pattern | None) -> list[str]:
    """Say what comes near to a pattern, if anything does."""
    if perhaps is None:
        return []
    return [
        f"Perhaps some share this, look at a few: {perhaps.name} (p {perhaps.p:.3f}, where a "
        f"pattern is named from {LEVEL} down)."
    ]
