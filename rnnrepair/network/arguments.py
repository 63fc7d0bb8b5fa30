"""What each argument of a module's forward is given, by its name."""

import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from rnnrepair.network.names import inputs_among, role_of
from rnnrepair.network.views import LABELS, View, further_input

# Of arrays, whose further input has no name that its user has chosen.
UNNAMED = further_input("static")
# What holds everything.
WHOLE = "the whole batch"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Argument:
    """What an argument of forward is given.

    Attributes:
        name: of the argument.
        what: it is given, for people; None where nobody knows, "None" for nothing.
        view: of the batch; None for nothing.
        required: whether it has no default.
        keyword_only: whether it can be given by name alone.
    """

    name: str
    what: str | None
    view: View | None
    required: bool
    keyword_only: bool


def arguments_of(
    parameters: Mapping[str, inspect.Parameter],
    views: Mapping[str, View],
    keys: Mapping[str, tuple[str, View]],
) -> list[Argument]:
    """Return what each argument is given: by what its name says, else by what the data call so.

    The one argument that nothing is known for takes the further input of arrays, to which nobody
    could give a name: a required one, where there is one, else one that is None by default.

    Args:
        parameters: of ``forward``.
        views: of a batch, by what they are.
        keys: which views the entries of the user's batches are, by their keys.
    """
    plain = {
        name: of
        for name, of in parameters.items()
        if of.kind not in {of.VAR_POSITIONAL, of.VAR_KEYWORD}
    }
    # Labels are for the loss: an argument that is called as they are is not given them.
    known = {name: of for name, of in keys.items() if not of[0].startswith(LABELS)}
    inputs = next((n for n in plain if known.get(n, ("",))[0].startswith("inputs")), None)
    inputs = inputs or inputs_among(list(plain))
    found: dict[str, tuple[str, View | None]] = {}
    for name, of in plain.items():
        role = _role(name, inputs, views)
        if role is not None:
            found[name] = role, views.get(role)
        elif name in known and of.default is of.empty:
            found[name] = known[name]
    if UNNAMED in views and not {what for what, _ in found.values()} & {UNNAMED, WHOLE}:
        unknown = [name for name in plain if name not in found]
        needed = [name for name in unknown if plain[name].default is inspect.Parameter.empty]
        # An option with a value of its own is a switch or a size.
        open_ones = needed or [name for name in unknown if plain[name].default is None]
        if len(open_ones) == 1:
            found[open_ones[0]] = UNNAMED, views[UNNAMED]
        elif not open_ones:
            log.warning("No argument of forward takes %s (static=).", UNNAMED)
    made = []
    for name, of in plain.items():
        what, view = found.get(name, (None, None))
        made.append(Argument(name, what, view, of.default is of.empty, of.kind == of.KEYWORD_ONLY))
    return made


def _role(name: str, inputs: str | None, views: Mapping[str, View]) -> str | None:
    """Return the view that an argument is given; see ``role_of``."""
    if further_input(name) in views:
        return further_input(name)
    return "inputs" if name == inputs else role_of(name)
