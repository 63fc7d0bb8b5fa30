"""Reads checkpoints without running what they may contain."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from rnnrepair.errors import IncompatibleCheckpointError


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


def _unreadable(path: Path, error: Exception) -> IncompatibleCheckpointError:
    return IncompatibleCheckpointError(
        f"{path} cannot be read; it is missing or damaged: name a file that torch.save or "
        f"Lightning has written. ({error})"
    )
