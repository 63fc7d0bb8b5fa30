"""Keeps results that were made in different ways in places of their own."""

import json
from collections.abc import Callable, Mapping
from itertools import chain, count
from typing import Any


def name_apart(
    stem: str,
    settings: Mapping[str, Any],
    settings_at: Callable[[str], Mapping[str, Any] | None],
) -> str:
    """Return the first of ``stem``, ``stem-2``, ``stem-3`` ... that may be written.

    That is one that is free, or that was made with the same settings, whose results are the same.

    Args:
        stem: name of the first.
        settings: of what is going to be written.
        settings_at: of what stands under a name; None where it is free.

    Example:
        >>> there = {"automaton": {"n_components": 16}}
        >>> name_apart("automaton", {"n_components": 30}, there.get)
        'automaton-2'
    """
    wanted = as_written(settings)
    names = chain([stem], (f"{stem}-{number}" for number in count(2)))
    return next(n for n in names if (there := settings_at(n)) is None or there == wanted)


def as_written(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as a file of JSON gives them back."""
    written: dict[str, Any] = json.loads(json.dumps(dict(settings), default=str))
    return written
