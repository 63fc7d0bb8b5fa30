"""Fingerprints: two runs with the same one may share results."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def fingerprint_tensors(*tensors: Tensor) -> str:
    """Return a digest of shapes, types and values."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tuple(tensor.shape)}{tensor.dtype}".encode())
        # As bytes, for numpy knows no numbers of half the precision such as bfloat16.
        plain = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(plain.numpy().data)
    return digest.hexdigest()


def fingerprint_state(state: Any) -> str:
    """Return a digest of a state dict: mappings, lists, tensors and plain values in each other."""
    if isinstance(state, Tensor):
        return fingerprint_tensors(state)
    if isinstance(state, Mapping):
        parts = [(str(name), fingerprint_state(value)) for name, value in state.items()]
    elif isinstance(state, (list, tuple)):
        parts = [("", fingerprint_state(value)) for value in state]
    else:
        parts = [("plain", repr(state))]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def fingerprint_files(files: Iterable[Path]) -> str:
    """Return a digest of names and contents of source files, whatever order they come in."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def fingerprint_config(config: dict[str, Any]) -> str:
    """Return a digest of plain values (dicts, lists, numbers, strings).

    Example:
        >>> fingerprint_config({"a": 1, "b": 2}) == fingerprint_config({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
