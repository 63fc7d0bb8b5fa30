"""Weights of a network that was trained elsewhere; reading them runs no code."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from rnnrepair.errors import IncompatibleCheckpointError

# Names told of each kind of difference, at most.
TOLD = 5


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a file of ``torch.save`` without running what it may contain.

    Raises:
        IncompatibleCheckpointError: there is none, it is damaged, or safe loading refuses it; says
            how to save it again.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        if "invalid load key" in str(error):
            raise _unreadable(path, error) from error
        raise IncompatibleCheckpointError(
            f"{path} holds more than tensors and plain values, which can run code when it is "
            "read, so it is not read. If you trust it, save its weights again:\n"
            f"    saved = torch.load({str(path)!r}, map_location='cpu', weights_only=False)\n"
            "    torch.save(getattr(saved, 'state_dict', lambda: saved['state_dict'])(), "
            f"{str(path.with_name(path.stem + '_weights.pt'))!r})"
        ) from error
    except (OSError, RuntimeError, EOFError, LookupError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(saved, Mapping):
        raise IncompatibleCheckpointError(
            f"{path} holds a {type(saved).__name__}, expected the state dict of a network, or a "
            "Lightning checkpoint: torch.save(network.state_dict(), ...)."
        )
    return dict(saved)


def load_weights(module: nn.Module, saved: Mapping[str, Any], name: str) -> None:
    """Put the weights of a checkpoint into a network; into all of it, or nothing is changed.

    Args:
        module: of the same architecture.
        saved: a state dict, or a Lightning checkpoint that holds one.
        name: of the checkpoint, for messages.

    Raises:
        IncompatibleCheckpointError: names the keys that are missing, unexpected or of another
            shape.
    """
    given = saved.get("state_dict", saved)
    differing = weights_that_differ(given, module)
    if differing:
        raise IncompatibleCheckpointError(
            f"{name} holds no weights of this {type(module).__name__}; {differing}. Make the "
            "network as it was trained (its class, its sizes, its number of classes)."
        )
    module.load_state_dict(dict(given))


def weights_that_differ(given: Mapping[str, Any], module: nn.Module) -> str:
    """Return the keys that are missing, unexpected or of another shape; empty where none is."""
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in given]
    unexpected = [key for key in given if key not in wanted]
    shapes = [
        f"{key} {_shape(given[key])} instead of {_shape(wanted[key])}"
        for key in wanted
        if key in given and _shape(given[key]) != _shape(wanted[key])
    ]
    parts = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    return "; ".join(f"{kind}: {_listed(keys)}" for kind, keys in parts.items() if keys)


def _unreadable(path: Path, error: Exception) -> IncompatibleCheckpointError:
    return IncompatibleCheckpointError(
        f"{path} cannot be read; it is missing or damaged: name a file that torch.save or "
        f"Lightning has written. ({error})"
    )


def _shape(value: Any) -> Any:
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__


def _listed(keys: list[str]) -> str:
    more = f" and {len(keys) - TOLD} more" if len(keys) > TOLD else ""
    return ", ".join(keys[:TOLD]) + more
