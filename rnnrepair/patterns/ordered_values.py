"""Values of a column that have an order: numbers, dates and times."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import torch
from torch import Tensor

# Significant digits that tell any number in double precision.
ALL_DIGITS = 17


def numbers(values: Sequence[str]) -> Tensor:
    """Return (n,) float64, NaN for what is no finite number."""
    return _read(values, float)


def times(values: Sequence[str]) -> Tensor:
    """Return (n,) float64 seconds since 1970, NaN for what is no date or time as ISO 8601 has it.

    A time without a zone is read as one of UTC: the order of a column is the same in any.
    """
    return _read(values, time_of)


def time_of(value: str) -> float:
    """Return the seconds since 1970 of a date or time as ISO 8601 has it, midnight for a date.

    Raises:
        ValueError: it is none.
    """
    read = datetime.fromisoformat(value)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def shortest(edge: float, known: Tensor) -> float:
    """Return the number of fewest digits that parts numbers as another does.

    Args:
        edge: from which on numbers are above.
        known: (n,) float64.
    """
    above = known >= edge
    for digits in range(2, ALL_DIGITS):
        near = float(f"{edge:.{digits}g}")
        step = 10.0 ** (math.floor(math.log10(abs(edge))) + 1 - digits) if edge else 1.0
        for short in (near, float(f"{near - step:.{digits}g}")):
            if bool(((known >= short) == above).all()):
                return short
    return edge


def _read(values: Sequence[str], read: Callable[[str], float]) -> Tensor:
    def one(value: str) -> float:
        try:
            number = read(value)
        except (ValueError, OverflowError):
            return math.nan
        return number if math.isfinite(number) else math.nan

    return torch.tensor([one(value) for value in values], dtype=torch.float64)
