"""Weights by name: whether they fit a network, and other ones in it for a while."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

# Names told of each kind of difference, at most.
TOLD = 5


def weights_that_differ(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return the keys that are missing, unexpected or of another shape; empty where none is."""
    missing = [key for key in wanted if key not in given]
    unexpected = [key for key in given if key not in wanted]
    shapes = [
        f"{key} {_shape(given[key])} instead of {_shape(wanted[key])}"
        for key in wanted
        if key in given and _shape(given[key]) != _shape(wanted[key])
    ]
    parts = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    return "; ".join(f"{kind}: {listed(keys)}" for kind, keys in parts.items() if keys)


def copied(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a state dict that later changes of the network leave alone."""
    return {
        name: value.detach().clone() if isinstance(value, Tensor) else value
        for name, value in weights.items()
    }


@contextmanager
def with_weights(module: nn.Module, weights: Mapping[str, Any]) -> Iterator[None]:
    """Put weights into a module; when the block ends it has its own again, bit for bit."""
    own = copied(module.state_dict())
    try:
        with torch.no_grad():
            module.load_state_dict(dict(weights))
        yield
    finally:
        with torch.no_grad():
            module.load_state_dict(own)


def listed(keys: list[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(keys) - TOLD} more" if len(keys) > TOLD else ""
    return ", ".join(keys[:TOLD]) + more


def _shape(value: Any) -> Any:
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
