"""What an object was made with, as plain values that people read and programs compare."""

from collections.abc import Mapping
from typing import Any

_READABLE = (bool, int, float, str, type(None))
# Objects in objects that are told: a study, its methods, and what those are made with.
_DEPTH = 3


def plain(thing: object, prefix: str = "") -> dict[str, Any]:
    """Return the public attributes of an object, methods and the like as ``Name(key=value)``.

    Equal settings give equal values, in every program that makes such an object.

    Args:
        thing: such as a study.
        prefix: before the name of each attribute.
    """
    return {f"{prefix}{name}": _plain(value, _DEPTH) for name, value in _public(thing).items()}


def _public(thing: object) -> dict[str, Any]:
    there: Mapping[str, Any] = getattr(thing, "__dict__", {})
    return {name: value for name, value in there.items() if not name.startswith("_")}


def _plain(value: object, depth: int) -> Any:
    if isinstance(value, _READABLE):
        return value
    if isinstance(value, list | tuple):
        return [_plain(one, depth) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(one, depth) for key, one in value.items()}
    inside = _public(value).items() if depth > 1 else ()
    told = ", ".join(f"{name}={_plain(one, depth - 1)}" for name, one in inside)
    return f"{type(value).__name__}({told})"
