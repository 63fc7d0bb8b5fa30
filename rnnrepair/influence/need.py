"""What an influence method looks at, beside the labels."""

from enum import StrEnum


class Need(StrEnum):
    """Part of a ``TrainingView`` that a method cannot do without."""

    TRACES = "traces"
    TOKENS = "tokens"
    # What training itself has shown of each sample, epoch by epoch.
    DYNAMICS = "dynamics"
    GRADIENTS = "gradients"
    # The weights after every step of training.
    TRAJECTORY = "trajectory"
