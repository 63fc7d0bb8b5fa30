"""A pattern that a repair has found, and how much of it there was to mend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    """What teaching needs of a pattern.

    Attributes:
        pattern: as it was found.
        unsafe: how many of its samples were not right by a safe margin then.
    """

    pattern: Pattern
    unsafe: int

    def sweep(self, sweeps: Sequence[Sweep]) -> Sweep | None:
        """Return the sweep that its edits are drawn by; None where no edit explains it."""
        wanted = self.pattern.parameters.get("edit")
        return next((sweep for sweep in sweeps if sweep.name == wanted), None)

    @property
    def ends(self) -> tuple[float, float]:
        """Least and largest place of its edits on their sweep."""
        values = self.pattern.parameters
        return float(values["from"]), float(values["to"])

    def state_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"pattern": self.pattern.plain(), "unsafe": self.unsafe}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "KnownPattern":
        """Return what ``state_dict`` was made of."""
        return cls(Pattern.of_plain(state["pattern"]), state["unsafe"])


def unsafe(index: Tensor, sought: Sought) -> int:
    """Return how many of (m,) samples are wrong now, or right by less than a safe margin."""
    return int((torch.isin(sought.samples.index, index) & (sought.margin < SAFE)).sum())
