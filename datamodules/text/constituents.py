"""The constituents of a sentiment tree, each with its grade."""

import re
from typing import NamedTuple

from rnnrepair.errors import DataError

NEUTRAL = 2
_PARTS = re.compile(r"\(\d|\)|[^() ]+")


class Constituent(NamedTuple):
    """Words ``first`` to ``end - 1`` of a sentence, with a grade of 0 to 4 (``NEUTRAL`` is 2)."""

    grade: int
    first: int
    end: int


def constituents(tree: str, where: str) -> list[Constituent]:
    """Return the constituents of a tree, single words and the whole sentence (the last) included.

    Args:
        tree: such as ``(3 (2 It) (3 (3 works) (2 .)))``.
        where: file and line, for the error.

    Raises:
        DataError: brackets do not close.
    """
    found: list[Constituent] = []
    opened: list[tuple[int, int]] = []
    n_words = 0
    for part in _PARTS.findall(tree):
        if part.startswith("("):
            opened.append((int(part[1:]), n_words))
        elif part != ")":
            n_words += 1
        elif opened:
            grade, first = opened.pop()
            found.append(Constituent(grade, first, n_words))
        else:
            opened.append((0, -1))  # closed before it was opened
            break
    if opened or not found or found[-1][1:] != (0, n_words):
        raise DataError(f"{where} is no tree, its brackets do not close: {tree[:60]!r}.")
    return found
