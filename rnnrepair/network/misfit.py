"""Which layer of a network is not made for the data, where a call of it breaks off."""

from typing import Any

from torch import nn

from rnnrepair.network.calls import Call
from rnnrepair.network.hooked import UNFIT, called
from rnnrepair.network.input_width import width_misfit
from rnnrepair.network.lookup import beyond, lookup_misfit
from rnnrepair.network.snapshot import unchanged
from rnnrepair.network.training_call import before_parts
from rnnrepair.sequences import SequenceBatch

# What went wrong, and what to change.
Misfit = tuple[str, str]


def misfit(module: nn.Module, call: Call, batch: SequenceBatch) -> Misfit | None:
    """Return at which layer a call breaks off, and what to change; None where neither is known.

    Args:
        module: that raises when it is called with the batch; it is left as it was.
        call: calls it.
        batch: of the data.
    """
    # What breaks off is the part that was called last: those before it have returned.
    last: list[tuple[nn.Module, Any]] = []

    def note(part: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        last[:] = [(part, next(iter((*arguments, *options.values())), None))]

    with unchanged(module), before_parts(module, note):
        try:
            called(module, call, batch)
        except UNFIT as error:
            broken: Exception = error
        else:
            return None
    found = None
    if last:
        (part, given) = last[0]
        name = next((name for name, each in module.named_modules() if each is part), "")
        layer = f"{name} ({type(part).__name__})"
        found = width_misfit(layer, part, given, batch) or lookup_misfit(layer, part, given)
    if found is None and isinstance(broken, IndexError) and not batch.inputs.is_floating_point():
        return f"that failed: {broken}", beyond(int(batch.inputs.max()))
    return found
