"""What a layer returns beside its states: learned once, made again where states are played."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor


class Beside(StrEnum):
    """What a tensor beside the states is."""

    STATES = "the states once more"
    LAST = "the last state"
    LAST_AS_LAYERS = "the last state, as (1, B, d)"
    LAST_AS_STEPS = "the last state, as (B, 1, d)"
    UNKNOWN = "something else"


# Kinds, tuples of kinds, None.
Kinds = Any


def learn_beside(calls: Sequence[Any], lasts: Sequence[Tensor]) -> tuple[Kinds, ...]:
    """Return what stands behind the states in the tuples that a layer returns.

    Args:
        calls: what it returned in each call, the states first; nothing is beside them if no tuple.
        lasts: (B, d) the last state of each call.
    """
    if not isinstance(calls[0], tuple):
        return ()
    found = [_kinds_of(call[1:], call[0], last) for call, last in zip(calls, lasts, strict=True)]
    return tuple(_agreed(each) for each in zip(*found, strict=True))


def make_beside(kinds: Kinds, states: Tensor, last: Tensor) -> Any:
    """Return what stands beside other states; NaN for what is not known, which shows if it is read.

    Args:
        kinds: of ``learn_beside``.
        states: as the layer returns them.
        last: (B, d).
    """
    if isinstance(kinds, tuple):
        return tuple(make_beside(kind, states, last) for kind in kinds)
    made = {
        Beside.STATES: lambda: states,
        Beside.LAST: lambda: last,
        Beside.LAST_AS_LAYERS: lambda: last[None],
        Beside.LAST_AS_STEPS: lambda: last[:, None],
        Beside.UNKNOWN: lambda: last.new_tensor(torch.nan),
    }
    return None if kinds is None else made[kinds]()


def _kinds_of(value: Any, states: Any, last: Tensor) -> Kinds:
    if isinstance(value, tuple | list):
        return tuple(_kinds_of(each, states, last) for each in value)
    if not isinstance(value, Tensor):
        return None if value is None else Beside.UNKNOWN
    alike = {
        Beside.STATES: states,
        Beside.LAST: last,
        Beside.LAST_AS_LAYERS: last[None],
        Beside.LAST_AS_STEPS: last[:, None],
    }
    return next((kind for kind, other in alike.items() if _same(value, other)), Beside.UNKNOWN)


def _same(value: Tensor, other: Tensor) -> bool:
    return value.shape == other.shape and torch.equal(value, other)


def _agreed(kinds: Sequence[Kinds]) -> Kinds:
    """Return what all calls agree on."""
    first = kinds[0]
    if all(kind == first for kind in kinds):
        return first
    tuples = all(isinstance(kind, tuple) and len(kind) == len(first) for kind in kinds)
    if not (isinstance(first, tuple) and tuples):
        return Beside.UNKNOWN
    return tuple(_agreed(each) for each in zip(*kinds, strict=True))
