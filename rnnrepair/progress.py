"""How long loops are shown to people, who may want to see none."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tqdm import tqdm

# Wraps a loop in a progress bar with a description.
Progress = Callable[[Iterable[Any], str], Iterable[Any]]
# What is said of all bars at once, see ``bars_shown``.
_SHOWN = ContextVar("bars shown", default=True)


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


@contextmanager
def bars_shown(progress: bool) -> Iterator[None]:
    """Let a block show progress bars, or none: also those of data that are read in it."""
    before = _SHOWN.set(progress)
    try:
        yield
    finally:
        _SHOWN.reset(before)


def are_bars_shown() -> bool:
    """Return whether bars may be shown; where nobody has said, they may."""
    return _SHOWN.get()
