"""Readouts that see no more of a sequence than one summary of its states, or of its answers."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from rnnrepair.network.hooked import Pass

# What a pooling makes of the first t states, for every t: (B, T, d) to (B, T, d).
Pooling = Callable[[Tensor], Tensor]


def as_it_is(hidden: Tensor) -> Tensor:
    """Return the state of each step."""
    return hidden


def running_mean(hidden: Tensor) -> Tensor:
    """Return the mean of the states up to each step."""
    steps = torch.arange(1, hidden.shape[1] + 1, device=hidden.device)
    return hidden.cumsum(1) / steps[:, None]


def running_maximum(hidden: Tensor) -> Tensor:
    """Return the largest value of each unit up to each step."""
    return hidden.cummax(1).values


def running_sum(hidden: Tensor) -> Tensor:
    """Return the sum of the states up to each step."""
    return hidden.cumsum(1)


def pooled(seen: Pass, pooling: Pooling) -> Pass:
    """Return a pass whose states are what a pooling makes of those up to each step.

    Where an answer depends on that alone, a sequence of one such state gets the answer of the whole
    prefix: the mean of one state is the state. So one call tells what T calls would.
    """
    found = {id(s): replace(s, hidden=pooling(s.hidden)) for s in seen.states if s is not None}
    states = [None if s is None else found[id(s)] for s in seen.states]
    return replace(seen, states=states, tap=found[id(seen.tap)])
