"""A pattern that a repair has found, as its checkpoints hold it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from rnnrepair.edits.sweep import Sweep
from rnnrepair.patterns import Pattern
from rnnrepair.repair.proposal import Sought

# Probability of the true class above that of the next, from which on an answer is safe.
SAFE = 0.5


@dataclass(frozen=True)
class KnownPattern:
    """What is needed to teach a pattern, in plain tensors and values.

    Attributes:
        told: its name when it was found.
        inside: (m,) int64 indices of the samples that have it, failures or not.
        unsafe: how many of these were not right by a safe margin when it was found.
        edit: name of the sweep; empty where no edit explains it.
        low: least place on the sweep.
        high: largest.
        samples: (k,) int64 training samples that have it.
    """

    told: str
    inside: Tensor
    unsafe: int
    edit: str
    low: float
    high: float
    samples: Tensor

    @classmethod
    def of(cls, pattern: Pattern, n_unsafe: int) -> "KnownPattern":
        """Keep what teaching needs of a pattern."""
        values = pattern.parameters
        return cls(
            told=pattern.name,
            inside=pattern.inside,
            unsafe=n_unsafe,
            edit=str(values.get("edit", "")),
            low=float(values.get("from", 0)),
            high=float(values.get("to", 0)),
            samples=pattern.samples,
        )

    def sweep(self, sweeps: Sequence[Sweep]) -> Sweep | None:
        """Return the sweep that its edits are drawn by; None where no edit explains it."""
        return next((sweep for sweep in sweeps if sweep.name == self.edit), None)

    def state_dict(self) -> dict[str, Any]:
        """Return plain values."""
        values = asdict(self)
        return values | {name: values[name].tolist() for name in ("inside", "samples")}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "KnownPattern":
        """Return what ``state_dict`` was made of."""
        tensors = {name: torch.tensor(state[name]).long() for name in ("inside", "samples")}
        return cls(**{**state, **tensors})


def unsafe(index: Tensor, sought: Sought) -> int:
    """Return how many of (m,) samples are wrong now, or right by less than a safe margin."""
    return int((torch.isin(sought.samples.index, index) & (sought.margin < SAFE)).sum())
