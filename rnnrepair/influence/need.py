"""What an influence method has to be given."""

from enum import StrEnum


class Need(StrEnum):
    """Something that a ``TrainingView`` holds, or that its network must allow."""

    TRACES = "traces"
    TOKENS = "tokens"
    DYNAMICS = "dynamics"
    GRADIENTS = "gradients"
    TRAJECTORY = "trajectory"
