"""Runs a network without leaving a trace in its training."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from rnnrepair.network.snapshot import Snapshot


def device_of(module: nn.Module) -> torch.device:
    """Return the device of the module's first parameter (CPU where it has none)."""
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluate without a trace: modes and random state are as before when the block ends.

    Where a part has a ``train`` or ``eval`` of its own that changes more than modes, all of the
    module is as before.
    """
    modes = [(part, part.training) for part in module.modules()]
    before = Snapshot(module) if any(_switches_itself(part) for part in module.modules()) else None
    with _same_randomness(device_of(module)), torch.no_grad():
        module.eval()
        if before is not None and not before.changed:
            before = None  # nothing but modes
        try:
            yield
        finally:
            if before is not None:
                before.restore()
            for part, mode in modes:
                part.training = mode


def _switches_itself(part: nn.Module) -> bool:
    return type(part).train is not nn.Module.train or type(part).eval is not nn.Module.eval


@contextmanager
def _same_randomness(device: torch.device) -> Iterator[None]:
    of_python, of_numpy = random.getstate(), np.random.get_state()
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
