"""How long loops are shown to people, who may want to see none."""

from collections.abc import Callable, Iterable
from typing import Any

from tqdm import tqdm

# Wraps a loop in a progress bar with a description.
Progress = Callable[[Iterable[Any], str], Iterable[Any]]


def silent(loop: Iterable[Any], _: str) -> Iterable[Any]:
    """Show no progress."""
    return loop


def bars(loop: Iterable[Any], description: str) -> Iterable[Any]:
    """Show a loop as a progress bar that goes away when it ends."""
    shown: Iterable[Any] = tqdm(loop, desc=description, leave=False)
    return shown


def bars_if(progress: bool) -> Progress:
    """Return what shows progress where it is asked for."""
    return bars if progress else silent
