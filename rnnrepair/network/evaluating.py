"""Runs a network without leaving a trace in its training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def device_of(module: nn.Module) -> torch.device:
    """Return the device of the module's first parameter (CPU where it has none)."""
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluate without a trace: modes and random state are as before when the block ends."""
    modes = [(part, part.training) for part in module.modules()]
    device = device_of(module)
    devices = [device] if device.type == "cuda" else []
    module.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=devices):
            yield
    finally:
        for part, mode in modes:
            part.training = mode
