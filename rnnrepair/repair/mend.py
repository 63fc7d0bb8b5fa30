"""Changes of training samples that are there already."""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What a repair does with one training sample."""

    ADD = "add"
    REMOVE = "remove"
    RELABEL = "relabel"
    REWEIGHT = "reweight"


@dataclass(frozen=True)
class Mend:
    """One sample that is removed, relabelled or drawn less often.

    Attributes:
        index: of the sample.
        action: any but ADD.
        was: class that it carries now.
        label: class that it carries afterwards; another one where it is relabelled.
        weight: probability that an epoch sees it afterwards.
        score: how suspicious it is, in [0, 1].
    """

    index: int
    action: Action
    was: int
    label: int
    weight: float
    score: float
