"""Arguments that one data module hands on to the one it is derived from."""

import inspect
from collections.abc import Iterable
from difflib import get_close_matches


def refuse_unknown(kind: type, options: Iterable[str]) -> None:
    """Refuse names that neither a class nor those that it is derived from take.

    Python would name the class at the end of the chain, which no user has written.

    Raises:
        TypeError: names the class that was called, and the argument that is probably meant.
    """
    known = {
        name
        for each in kind.__mro__
        if "__init__" in vars(each)
        for name in inspect.signature(vars(each)["__init__"]).parameters
    } - {"self", "args", "kwargs", "options"}
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"write {near[0]}=" if near else f"it takes {', '.join(sorted(known))}"
            raise TypeError(f"{kind.__name__} takes no argument {name!r}: {meant}.")
