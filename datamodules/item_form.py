"""What a user's items have in common: their entries, and what stands there."""

from typing import Any

from rnnrepair.datamodules.sample_format import keys_of, value_at
from rnnrepair.datamodules.values import as_tensor, described
from rnnrepair.errors import DataError


def form_of(item: Any) -> tuple[Any, ...]:
    """Return what items have in common: their type, their places, and what stands there."""
    return type(item), *((key, _shape(value_at(item, key))) for key in keys_of(item))


def item_described(item: Any) -> str:
    """Say what an item is, for messages."""
    if not isinstance(item, dict | tuple | list):
        return described(item)
    told = [
        described(value_at(item, key)) if isinstance(key, int) else f"{key}: {described(v)}"
        for key, v in ((key, value_at(item, key)) for key in keys_of(item))
    ]
    return f"({', '.join(told)})"


def check_form(form: tuple[Any, ...], first: Any, called: str, item: Any, place: str) -> None:
    """Refuse an item of another form than the first.

    Args:
        form: of the first.
        first: item.
        called: what the message calls the first.
        item: to be checked.
        place: what it calls that.

    Raises:
        DataError: shows both, or says that it has no steps.
    """
    if form_of(item) != form:
        refuse_empty(item, place)
        raise DataError(
            f"items differ in form: {called} is {item_described(first)}, {place} is "
            f"{item_described(item)}. Every item must have the same entries, of the same types and "
            "widths; only the number of steps may differ."
        )


def refuse_empty(item: Any, place: str) -> None:
    """Refuse a sequence without steps: of an empty list nobody can tell what its numbers are.

    Raises:
        DataError: says which.
    """
    for key in keys_of(item):
        numbers = as_tensor(value_at(item, key))
        if numbers is not None and numbers.dim() > 0 and numbers.shape[0] == 0:
            raise DataError(
                f"{place} is {item_described(item)}: it has no steps; every sequence needs at "
                "least one: leave it out."
            )


def _shape(value: Any) -> Any:
    numbers = as_tensor(value)
    if numbers is None:
        return None
    trailing = tuple(numbers.shape[2:] if numbers.dim() == 3 else numbers.shape[1:])
    return numbers.is_floating_point(), numbers.dim(), trailing
