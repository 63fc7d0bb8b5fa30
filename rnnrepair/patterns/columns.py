"""Groups that a user's own columns make: common values, and quarters of numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rnnrepair.patterns.pattern import LEAST_INSIDE

# Parts of about equal size that numbers are cut into.
QUARTERS = 4
# A column of numbers with at most so many of them names kinds, such as 1 and 2 for two machines.
FEW = 12


def groups_of(values: Sequence[str], index: Tensor) -> dict[str, dict[str, float | str]]:
    """Return the groups that a column makes of samples: what each is called, and what it is.

    A number may have as many values as there are samples: these are cut into quarters.

    Args:
        values: of the column, of all samples of all splits.
        index: (S,) int64 of the samples.
    """
    own = [values[i] for i in index.tolist()]
    counts = Counter(own)
    found: dict[str, dict[str, float | str]] = {
        value: {"value": value} for value, n in sorted(counts.items()) if n >= LEAST_INSIDE
    }
    number = numbers(own)
    known = number[~number.isnan()]
    # What is no number says that one is missing, and is a value of its own.
    others = {value for value, n in zip(own, number.tolist(), strict=True) if n != n}
    if len(others) > 1 or len(known.unique()) <= FEW:
        return found
    edges = known.quantile(torch.linspace(0, 1, QUARTERS + 1, dtype=torch.float64)).unique()
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        found[f"{low:g} to {high:g}"] = {"low": low, "high": high}
    return found


def columns_without_groups(columns: Mapping[str, Sequence[str]], index: Tensor) -> list[str]:
    """Return the names of columns in which no value is common enough, and which are no numbers.

    Args:
        columns: of all samples of all splits, by name.
        index: (S,) int64 of the samples that patterns are looked for in.
    """
    return [name for name, values in columns.items() if not groups_of(values, index)]


def is_in(values: Sequence[str], index: Tensor, group: Mapping[str, float | str]) -> Tensor:
    """Return (n,) bool: which samples belong to a group that ``groups_of`` has made."""
    own = [values[i] for i in index.tolist()]
    if "value" in group:
        return torch.tensor([value == group["value"] for value in own], dtype=torch.bool)
    number = numbers(own)
    return (number >= float(group["low"])) & (number <= float(group["high"]))


def numbers(values: Sequence[str]) -> Tensor:
    """Return (n,) float64, NaN for what is no number."""

    def one(value: str) -> float:
        try:
            return float(value)
        except ValueError:
            return float("nan")

    return torch.tensor([one(value) for value in values], dtype=torch.float64)
