"""How long loops are shown to people, who may want to see none."""

from collections.abc import Callable, Iterable
from typing import Any

# Wraps a loop in a progress bar with a description.
Progress = Callable[[Iterable[Any], str], Iterable[Any]]


def silent(loop: Iterable[Any], _: str) -> Iterable[Any]:
    """Show no progress."""
    return loop
