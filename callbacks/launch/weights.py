"""Weights of a network that was trained elsewhere; reading them runs no code."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from torch import Tensor, nn

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.network.weights import listed, weights_that_differ

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """Weights as they stand in a checkpoint.

    Attributes:
        entry: of the checkpoint that they are in; None for the checkpoint itself.
        prefix: of all their names, taken off.
        weights: by name.
    """

    entry: str | None
    prefix: str
    weights: Mapping[str, Any]

    def __str__(self) -> str:
        place = "at the top" if self.entry is None else f"under {self.entry!r}"
        return f"{place}, without the prefix {self.prefix!r}" if self.prefix else place


def load_weights(module: nn.Module, saved: Mapping[str, Any], name: str) -> None:
    """Put the weights of a checkpoint into a network; into all of it, or nothing is changed.

    They may be the checkpoint, or one entry of it (``state_dict`` of Lightning, ``model`` of many
    programs), and all their names may begin alike (``module.`` of a parallel network, ``model.`` of
    a module around it). What fits is taken where one thing does.

    Args:
        module: of the same architecture.
        saved: what the file holds.
        name: of the checkpoint, for messages.

    Raises:
        IncompatibleCheckpointError: names the keys that are missing, unexpected or of another
            shape, or the entries that fit alike.
    """
    stored, wanted = list(_stored(saved)), module.state_dict()
    fitting = [each for each in stored if not weights_that_differ(each.weights, wanted)]
    if len(fitting) > 1:
        raise IncompatibleCheckpointError(
            f"{name} holds several weights of this {type(module).__name__}: "
            f"{'; '.join(map(str, fitting))}. Save the one that is meant by itself."
        )
    if not fitting:
        raise IncompatibleCheckpointError(_misfit(stored, saved, module, name))
    (chosen,) = fitting
    if chosen.prefix or chosen.entry is not None:
        log.info("Weights of %s stand %s.", name, chosen)
    module.load_state_dict(dict(chosen.weights))


def _stored(saved: Mapping[str, Any]) -> Iterator[Stored]:
    """Yield everything in a checkpoint that may be the weights of a network."""
    inside = ((key, held) for key, held in saved.items() if isinstance(held, Mapping))
    for entry, held in [(None, saved), *inside]:
        names = [str(key) for key in held]
        if not any(isinstance(value, Tensor) for value in held.values()):
            continue
        yield Stored(entry, "", held)
        columns = zip(*(name.split(".")[:-1] for name in names), strict=False)
        parts = [column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns)]
        for end in range(1, len(parts) + 1):
            prefix = ".".join(parts[:end]) + "."
            yield Stored(entry, prefix, {key[len(prefix) :]: held[key] for key in held})


def _misfit(
    stored: Sequence[Stored], saved: Mapping[str, Any], module: nn.Module, name: str
) -> str:
    """Say why nothing in a checkpoint fits, by what comes nearest."""
    if not stored:
        entries = listed([str(key) for key in saved])
        return (
            f"{name} holds no weights: its entries are {entries}. Save them by themselves: "
            "torch.save(network.state_dict(), ...)."
        )
    wanted = module.state_dict()
    nearest = max(stored, key=lambda each: len(wanted.keys() & each.weights.keys()))
    return (
        f"{name} holds no weights of this {type(module).__name__}; those {nearest} come nearest; "
        f"{weights_that_differ(nearest.weights, wanted)}. Make the network as it was trained (its "
        "class, its sizes, its number of classes)."
    )
