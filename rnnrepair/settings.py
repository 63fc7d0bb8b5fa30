"""What values a setting may have: declared beside it, checked in one place.

``Annotated[int, at_least(1)]`` is the annotation of a field or of a constructor's argument, and
``check_settings(ThatClass, values)`` refuses all values out of their ranges in one message.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from rnnrepair.errors import Fault, SettingsError


@dataclass(frozen=True)
class Limit:
    """What a value must be beyond its type.

    Attributes:
        told: what is said of it behind the type, such as " of at least 1".
        holds: whether a value of the type is such.
    """

    told: str
    holds: Callable[[Any], bool]


def at_least(low: float) -> Limit:
    """Return the limit that a number is ``low`` or more."""
    return Limit(f" of at least {low}", lambda value: value >= low)


def at_most(high: float) -> Limit:
    """Return the limit that a number is ``high`` or less."""
    return Limit(f" of at most {high}", lambda value: value <= high)


def above(low: float) -> Limit:
    """Return the limit that a number is more than ``low``."""
    return Limit(f" above {low}", lambda value: value > low)


def below(high: float) -> Limit:
    """Return the limit that a number is less than ``high``."""
    return Limit(f" below {high}", lambda value: value < high)


def one_of(choices: Iterable[str]) -> Limit:
    """Return the limit that a name is one of these."""
    names = [str(choice) for choice in choices]
    return Limit(f", one of {names}", lambda value: value in names)


NOT_EMPTY = Limit(" of one value at least", lambda values: len(values) > 0)
ASCENDING = Limit(" in ascending order", lambda values: list(values) == sorted(values))

# Whole numbers from 1 on, and lists of some.
Count = Annotated[int, at_least(1)]
Counts = Annotated[Sequence[Count], NOT_EMPTY]
# Parts of a whole.
Share = Annotated[float, at_least(0), at_most(1)]
ProperShare = Annotated[float, above(0), below(1)]
# Sizes to either side of nothing.
Size = Annotated[float, at_least(0)]
# The smallest and the largest factor.
Factors = Annotated[
    tuple[Annotated[float, above(0)], Annotated[float, above(0)]],
    ASCENDING,
]

# A rule for several arguments: it takes them by name, and returns what is wrong with the first.
Rule = Callable[..., str | None]


def check_settings(owner: Callable[..., Any], values: Mapping[str, Any], *rules: Rule) -> None:
    """Refuse values that a class or a function does not take.

    Args:
        owner: its annotations (a class: those of its constructor) say what it takes.
        values: by argument, such as the ``locals()`` of the constructor as it begins, or the
            ``vars`` of a dataclass; other names are ignored.
        rules: for several arguments, asked where each of those is right by itself.

    Raises:
        SettingsError: names every argument that is wrong with what it takes and what came.
    """
    given = dict(values)
    for parameter in inspect.signature(owner).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            given |= given.pop(parameter.name, {})
    faults = faults_of(owner, given)
    wrong = {fault.argument for fault in faults}
    for rule in rules:
        names = list(inspect.signature(rule).parameters)
        told = None if wrong & set(names) else rule(**{name: given[name] for name in names})
        if told is not None:
            faults.append(Fault(names[0], told))
    if faults:
        kind = type(values["self"]) if "self" in values else owner
        raise SettingsError(kind.__name__, faults)


def faults_of(owner: Callable[..., Any], values: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with the values of single arguments; see ``check_settings``."""
    return [
        Fault(name, f"expected {_told(hint)}, got {values[name]!r}")
        for name, hint in _annotations(owner).items()
        if name in values and not _fits(values[name], hint)
    ]


def arguments_of(owner: Callable[..., Any]) -> set[str] | None:
    """Return the names of the arguments that a class or a function takes.

    Those that a class passes on by ``**`` are the arguments of its bases.

    Returns:
        None where any name is taken, or nothing is known.
    """
    inits = (
        [vars(base)["__init__"] for base in owner.__mro__ if "__init__" in vars(base)]
        if (isinstance(owner, type))
        else [owner]
    )
    found: set[str] = set()
    for call in inits:
        try:
            parameters = inspect.signature(call).parameters.values()
        except (TypeError, ValueError):  # what is written in C
            return None
        if call is object.__init__:
            return None
        found |= {p.name for p in parameters if p.kind not in {p.VAR_KEYWORD, p.VAR_POSITIONAL}}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return found - {"self"}
    return None


def _annotations(owner: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of arguments; what a class passes on by ``**``, its base declares."""
    if not isinstance(owner, type):
        return get_type_hints(owner, include_extras=True)
    found: dict[str, Any] = {}
    for base in owner.__mro__:
        init = vars(base).get("__init__")
        if init is None:
            continue
        found = get_type_hints(init, include_extras=True) | found
        kinds = {parameter.kind for parameter in inspect.signature(init).parameters.values()}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return found


def _is_number(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind) and not isinstance(value, bool)


# What is known of simple types; any other annotation takes every value.
_TYPES: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("an integer", _is_number(Integral)),
    float: ("a number", _is_number(Real)),
    str: ("a string", lambda value: isinstance(value, str)),
    bool: ("True or False", lambda value: isinstance(value, bool)),
    NoneType: ("None", lambda value: value is None),
}


def _fits(value: Any, hint: Any) -> bool:
    """Return whether an annotation takes a value."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        limits = [part for part in parts[1:] if isinstance(part, Limit)]
        return _fits(value, parts[0]) and all(limit.holds(value) for limit in limits)
    if origin in {Union, UnionType}:
        return any(_fits(value, part) for part in parts)
    if origin not in {Sequence, tuple}:
        return hint not in _TYPES or _TYPES[hint][1](value)
    if isinstance(value, str) or not isinstance(value, Sequence):
        return False
    wanted = parts if _is_fixed(hint) else parts[:1] * len(value)
    return len(value) == len(wanted) and all(map(_fits, value, wanted))


def _is_fixed(hint: Any) -> bool:
    """Return whether it is known how many values a list has."""
    return get_origin(hint) is tuple and Ellipsis not in get_args(hint)


def _told(hint: Any, limits: str = "") -> str:
    """Return what an annotation takes, in words."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _told(parts[0], " and".join(p.told for p in parts[1:] if isinstance(p, Limit)))
    if origin in {Union, UnionType}:
        return " or ".join(_told(part) for part in parts)
    if origin in {Sequence, tuple}:
        noun = f"{len(parts)} values" if _is_fixed(hint) else "a list"
        return f"{noun}{limits}, each {_told(parts[0])}"
    noun = _TYPES[hint][0] if hint in _TYPES else getattr(hint, "__name__", str(hint))
    return f"{noun}{limits}"
