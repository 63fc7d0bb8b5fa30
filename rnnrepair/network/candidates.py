"""Layers that could be named as the tap: those whose states still know how a sequence began."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.network.calls import Call
from rnnrepair.network.hooked import UNFIT, called
from rnnrepair.network.memory import begun_otherwise
from rnnrepair.network.prefixes import ONE_CALL, Readout
from rnnrepair.network.reading import Reading
from rnnrepair.network.snapshot import unchanged
from rnnrepair.network.taps import recording, states_of
from rnnrepair.sequences import SequenceBatch

# Layers that are tried, and such as are told of.
TRIED, TOLD = 8, 3
NONE = (
    "No layer returns states that know how a sequence began: where forward itself makes them, let "
    "them pass a layer that has a name (self.states = nn.Identity() in __init__, h = "
    "self.states(h) in forward), and name that (tap='states'). "
)


def suggested(
    module: nn.Module,
    call: Call,
    batch: SequenceBatch,
    n_classes: int,
    read: Callable[[str], Reading],
) -> str:
    """Return what to write for a module none of whose recurrent layers can be the tap.

    Layers on which answers can be read in one call come first, then those nearest to the answer.

    Args:
        module: in evaluation mode.
        call: calls it.
        batch: a few sequences, longest first.
        n_classes: C.
        read: reads the module with a layer of this name as the tap.
    """
    found: list[tuple[tuple[bool, int], str, Tensor]] = []
    for name, hidden in _remembering(module, call, batch)[:TRIED]:
        try:
            reading = read(name)
        except UNFIT:
            continue
        # As wide as the answer is most likely the answer after each step, and no state.
        cost = (hidden.shape[2] <= n_classes, _cost(reading.readout))
        layer = type(module.get_submodule(name)).__name__
        line = f"tap={name!r}  # {layer}, {hidden.shape[2]} units; {reading.readout.value}"
        found.append((cost, line, hidden))
    if not found:
        return NONE
    lines: dict[str, Tensor] = {}
    for _, line, hidden in sorted(found, key=lambda each: each[0]):
        if not any(_equal(hidden, other) for other in lines.values()):  # a layer in a layer
            lines[line] = hidden
    told = ["Name the layer whose outputs are the states, one of:", *list(lines)[:TOLD]]
    return "\n    ".join(told) + "\n"


def _cost(readout: Readout) -> int:
    return 0 if readout in ONE_CALL else 1 + (readout == Readout.CUT)


def _remembering(module: nn.Module, call: Call, batch: SequenceBatch) -> list[tuple[str, Tensor]]:
    """Return names and (B, T', d) states of layers with a memory, nearest to the answer first."""
    usual, other = (dict(_states(module, call, b)) for b in (batch, begun_otherwise(batch)))
    found: list[tuple[str, Tensor]] = []
    for name, hidden in reversed(usual.items()):
        changed = other.get(name)
        if hidden.shape[1] < 2 or changed is None or changed.shape != hidden.shape:
            continue
        # The first sequence is the longest, so that its last state is no padding.
        if not torch.equal(hidden[0, -1], changed[0, -1]):
            found.append((name, hidden))
    return found


def _states(module: nn.Module, call: Call, batch: SequenceBatch) -> Iterator[tuple[str, Tensor]]:
    """Yield the states of all layers that have some, in the order in which they are done."""
    names = {
        layer: name
        for name, layer in module.named_modules()
        if name and not isinstance(layer, torch.jit.ScriptModule)  # takes no hooks
    }
    with unchanged(module), recording(list(names)) as recorded:
        called(module, call, batch)
    for each in recorded:
        try:
            yield names[each.layer], states_of(each, len(batch)).hidden
        except (ConfigurationError, RuntimeError):  # no states, or not of one width
            continue


def _equal(left: Tensor, right: Tensor) -> bool:
    return left.shape == right.shape and torch.equal(left, right)
