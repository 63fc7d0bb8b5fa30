"""A pattern that a repair has found, and how much of it there was to mend."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rnnrepair.patterns import Pattern
from rnnrepair.repair.proposal import Sought
from rnnrepair.sequences import EditRegion

# Probability of the true class above that of the next, from which on an answer is safe.
SAFE = 0.5


@dataclass(frozen=True)
class KnownPattern:
    """What teaching needs of a pattern.

    Attributes:
        pattern: as it was found.
        unsafe: how many of its samples were not right by a safe margin then.
        rounds: numbers of those that it was taught in and that hold.
        given_up: whether it is taught no more.
    """

    pattern: Pattern
    unsafe: int
    rounds: tuple[int, ...] = ()
    given_up: bool = False

    @property
    def region(self) -> EditRegion | None:
        """Of the edits that it is taught by; None where no edit explains it."""
        return self.pattern.taught.region

    def state_dict(self) -> dict[str, Any]:
        """Return plain values."""
        own = {"unsafe": self.unsafe, "rounds": list(self.rounds), "given_up": self.given_up}
        return {"pattern": self.pattern.plain(), **own}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "KnownPattern":
        """Return what ``state_dict`` was made of."""
        own = {"pattern": Pattern.of_plain(state["pattern"]), "rounds": tuple(state["rounds"])}
        return cls(**{**state, **own})


def unsafe(index: Tensor, sought: Sought) -> int:
    """Return how many of (m,) samples are wrong now, or right by less than a safe margin."""
    return int((torch.isin(sought.samples.index, index) & (sought.margin < SAFE)).sum())


def wrong(index: Tensor, sought: Sought) -> int:
    """Return how many of (m,) samples are wrong now."""
    return int((torch.isin(sought.samples.index, index) & sought.samples.failed).sum())
