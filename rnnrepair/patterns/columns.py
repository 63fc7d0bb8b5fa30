"""Groups that a user's own columns make: common values, and quarters of numbers."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from rnnrepair.patterns.pattern import LEAST_INSIDE

# Parts of about equal size that numbers are cut into.
QUARTERS = 4
# Share of the samples whose value is a number, from which on all others are slips.
MOSTLY = 0.9
# A column of numbers with at most so many of them names kinds, such as 1 and 2 for two machines.
FEW = 12


def groups_of(values: Sequence[str], index: Tensor) -> list[tuple[str, dict[str, float | str]]]:
    """Return the groups that a column makes of samples: what each is called, and what it is.

    A number may have as many values as there are samples: these are cut into quarters, of which
    the first and the last have no ends, for other samples may lie beyond these.

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
    known = number[~number.isnan()]
    # What is no number says that one is missing, and is a value of its own.
    others = {value for value, n in zip(own, number.tolist(), strict=True) if n != n}
    names_kinds = len(others) > 1 and len(known) < MOSTLY * len(own)
    if names_kinds or len(known.unique()) <= FEW:
        return found
    parts = torch.linspace(0, 1, QUARTERS + 1, dtype=torch.float64)[1:-1]
    edges = [-math.inf, *known.quantile(parts).unique().tolist(), math.inf]
    return found + [
        (_told(low, high), _finite({"low": low, "high": high})) for low, high in pairwise(edges)
    ]


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
    # Of values that are numbers, each read once.
    number = numbers(list(codes))[code] if codes else torch.empty(0, dtype=torch.float64)
    return [
        code == codes.get(str(group["value"]), -1) if "value" in group else _between(number, group)
        for group in groups
    ]


def _finite(ends: dict[str, float | str]) -> dict[str, float | str]:
    """Return the ends that there are: JSON knows no infinite numbers."""
    return {name: end for name, end in ends.items() if math.isfinite(float(end))}


def _told(low: float, high: float) -> str:
    if low == -math.inf:
        return f"below {high:.10g}"
    return f"{low:.10g} or more" if high == math.inf else f"{low:.10g} to below {high:.10g}"


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
    low, high = (float(group.get(end, at)) for end, at in (("low", -math.inf), ("high", math.inf)))
    return (number >= low) & (number < high)


def numbers(values: Sequence[str]) -> Tensor:
    """Return (n,) float64, NaN for what is no finite number."""

    def one(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            return math.nan
        return number if math.isfinite(number) else math.nan

    return torch.tensor([one(value) for value in values], dtype=torch.float64)
