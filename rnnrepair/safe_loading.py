"""Reads checkpoints without running what they may contain."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint

from rnnrepair.errors import IncompatibleCheckpointError


def read_checkpoint(path: Path, module: str = "mynet") -> dict[str, Any]:
    """Read a file of ``torch.save`` without running what it may contain.

    Args:
        path: of the file.
        module: that its classes can be imported from, where they were pickled in the program that
            defines them; for advice.

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
            "read, so it is not read. If you trust it, save its weights again, with these lines as "
            "a program in the folder of your code:\n"
            f"    import torch\n{_imports(path, module)}"
            f"    saved = torch.load({str(path)!r}, map_location='cpu', weights_only=False)\n"
            "    parts = saved if isinstance(saved, dict) else {'state_dict': saved}\n"
            "    parts = {k: v.state_dict() if hasattr(v, 'state_dict') else v "
            "for k, v in parts.items()}\n"
            "    weights = {k: v for k, v in parts.items() if isinstance(v, dict) "
            "and any(map(torch.is_tensor, v.values()))}\n"
            f"    torch.save(weights, {str(path.with_name(path.stem + '_weights.pt'))!r})"
        ) from error
    except (OSError, RuntimeError, EOFError, LookupError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(saved, Mapping):
        raise IncompatibleCheckpointError(
            f"{path} holds a {type(saved).__name__}, expected the state dict of a network, or a "
            "Lightning checkpoint: torch.save(network.state_dict(), ...)."
        )
    return dict(saved)


def _imports(path: Path, module: str) -> str:
    """Return the line that makes classes known which pickle looks for in ``__main__``.

    That is the program that wrote the file, where it defined them, and whatever program reads it.
    """
    try:
        needed = get_unsafe_globals_in_checkpoint(path)
    except ValueError:  # of a form before the present one
        return ""
    names = sorted({name.split(".")[1] for name in needed if name.startswith("__main__.")})
    return (
        f"    from {module} import {', '.join(names)}  # the file with its code\n" if names else ""
    )


def _unreadable(path: Path, error: Exception) -> IncompatibleCheckpointError:
    return IncompatibleCheckpointError(
        f"{path} cannot be read; it is missing or damaged: name a file that torch.save or "
        f"Lightning has written. ({error})"
    )
