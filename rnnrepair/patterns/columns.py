"""Groups that a user's own columns make: common values, and quarters of numbers and dates."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from rnnrepair.patterns.ordered_values import numbers, shortest, time_of, times
from rnnrepair.patterns.pattern import LEAST_INSIDE
from rnnrepair.patterns.sharpened import sharpened
from rnnrepair.sequences import value_text

# Parts of about equal size that numbers are cut into.
QUARTERS = 4
# Share of the samples whose value is a number, from which on all others are slips.
MOSTLY = 0.9
# A column of numbers with at most so many of them names kinds, such as 1 and 2 for two machines.
FEW = 12


def groups_of(values: Sequence[str], index: Tensor) -> list[tuple[str, dict[str, float | str]]]:
    """Return the groups that a column makes of samples: what each is called, and what it is.

    A number may have as many values as there are samples: these are cut into quarters, of which
    the first and the last have no ends, for other samples may lie beyond these. So are dates and
    times, whose ends are told as they are written.

    Args:
        values: of the column, of all samples of all splits.
        index: (S,) int64 of the samples.
    """
    own = [values[i] for i in index.tolist()]
    counts = Counter(own)
    found: list[tuple[str, dict[str, float | str]]] = [
        (value, {"value": value}) for value, n in sorted(counts.items()) if n >= LEAST_INSIDE
    ]
    number = numbers(own)
    if _has_order(own, number):
        known = number[~number.isnan()]
        cuts = [shortest(edge, known) for edge in _edges(known, "linear")]
        return [*found, *_cut_at(cuts)]
    time = times(own)
    if _has_order(own, time):
        written = dict(zip(time.tolist(), own, strict=True))
        edges = _edges(time[~time.isnan()], "higher")
        return [*found, *_cut_at([written[edge] for edge in edges])]
    return found


def _has_order(values: Sequence[str], number: Tensor) -> bool:
    """Return whether a column is one of numbers (or dates), and not of kinds.

    Args:
        values: (n,) of it.
        number: (n,) float64, NaN for what is none.
    """
    known = number[~number.isnan()]
    # What is no number says that one is missing, and is a value of its own.
    others = {value for value, n in zip(values, number.tolist(), strict=True) if n != n}
    names_kinds = len(others) > 1 and len(known) < MOSTLY * len(values)
    return not names_kinds and len(known.unique()) > FEW


def _edges(known: Tensor, interpolation: str) -> list[float]:
    """Return the ends of the quarters of numbers, in order, each once."""
    parts = torch.linspace(0, 1, QUARTERS + 1, dtype=torch.float64)[1:-1]
    edges = known.quantile(parts, interpolation=interpolation)
    found: list[float] = edges[edges.isfinite()].unique().tolist()
    return found


def members_of_groups(
    values: Sequence[str], index: Tensor, groups: Sequence[Mapping[str, float | str]]
) -> list[Tensor]:
    """Return (n,) bool of each group: its samples. A column is read once for all its groups.

    Args:
        values: of the column, of all samples of all splits.
        index: (n,) int64 of the samples.
        groups: that ``groups_of`` has made.
    """
    own = [values[i] for i in index.tolist()]
    codes = {value: code for code, value in enumerate(dict.fromkeys(own))}
    code = torch.tensor([codes[value] for value in own], dtype=torch.int64)
    # Of values that are numbers or dates, each is read once.
    read: dict[bool, Tensor] = {}
    found = []
    for group in groups:
        if "value" in group:
            found.append(code == codes.get(str(group["value"]), -1))
            continue
        dated = any(isinstance(group.get(end), str) for end in ("low", "high"))
        if dated not in read:
            every = (times if dated else numbers)(list(codes))
            read[dated] = every[code] if codes else every
        found.append(_between(read[dated], group))
    return found


def sharper_group(
    values: Sequence[str],
    index: Tensor,
    failed: Tensor,
    part: Tensor,
    group: Mapping[str, float | str],
) -> tuple[str, dict[str, float | str]]:
    """Return a first or last quarter with the end at which failures part best, see ``sharpened``.

    Args:
        values: of the column, of all samples of all splits.
        index: (n,) int64 of the samples.
        failed: (n,) bool.
        part: (n,) int64 of samples that are compared with each other.
        group: that ``groups_of`` has made, with one end.

    Returns:
        What it is called, and what it is; the same group where no other end is clearly better.
    """
    (end,) = group
    own, given = [values[i] for i in index.tolist()], group[end]
    if isinstance(given, str):
        number, cut = times(own), time_of(given)
    else:
        number, cut = numbers(own), given
    best = sharpened(number, failed, part, cut, above=end == "low")
    new: float | str = given
    if best != cut:
        written = dict(zip(number.tolist(), own, strict=True))
        known = number[~number.isnan()]
        new = written[best] if isinstance(given, str) else shortest(best, known)
    return _told(*((new, None) if end == "low" else (None, new))), {end: new}


def _cut_at(cuts: Sequence[float | str]) -> list[tuple[str, dict[str, float | str]]]:
    """Return the groups between two cuts each, and those before the first and behind the last."""
    ends = [None, *dict.fromkeys(cuts), None]
    return [(_told(*each), _there(*each)) for each in pairwise(ends)]


def _there(low: float | str | None, high: float | str | None) -> dict[str, float | str]:
    """Return the ends that there are."""
    return {name: end for name, end in (("low", low), ("high", high)) if end is not None}


def _told(low: float | str | None, high: float | str | None) -> str:
    # All digits: two ends may differ in the last of many.
    first, last = (value_text(end) if isinstance(end, float) else end for end in (low, high))
    dated = isinstance(low, str) or isinstance(high, str)
    below, more = ("before", "or later") if dated else ("below", "or more")
    if first is None:
        return f"{below} {last}"
    return f"{first} {more}" if last is None else f"{first} to {below} {last}"


def columns_without_groups(columns: Mapping[str, Sequence[str]], index: Tensor) -> list[str]:
    """Return the names of columns in which no value is common enough, and which are no numbers.

    Args:
        columns: of all samples of all splits, by name.
        index: (S,) int64 of the samples that patterns are looked for in.
    """
    return [name for name, values in columns.items() if not groups_of(values, index)]


def is_in(values: Sequence[str], index: Tensor, group: Mapping[str, float | str]) -> Tensor:
    """Return (n,) bool: which samples belong to a group that ``groups_of`` has made."""
    (inside,) = members_of_groups(values, index, [group])
    return inside


def _between(number: Tensor, group: Mapping[str, float | str]) -> Tensor:
    low, high = (
        time_of(end) if isinstance(end, str) else float(end)
        for end in (group.get("low", -math.inf), group.get("high", math.inf))
    )
    return (number >= low) & (number < high)
