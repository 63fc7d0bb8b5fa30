"""Errors that a user can act on: each message says what was expected, what came, what to change."""

from collections.abc import Sequence
from dataclasses import dataclass


class ConfigurationError(ValueError):
    """A value in the configuration is unknown, out of range or contradicts another one."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with the value of one argument.

    Attributes:
        argument: its name.
        told: what was expected and what came.
    """

    argument: str
    told: str


class SettingsError(ConfigurationError):
    """Values that a class does not take, all of one call.

    Attributes:
        faults: an entry for each argument that is wrong.
    """

    def __init__(self, owner: str, faults: Sequence[Fault]) -> None:
        """Tell all faults of the class ``owner``."""
        super().__init__(
            "; ".join(f"{owner}.{fault.argument}: {fault.told}" for fault in faults) + "."
        )
        self.faults = tuple(faults)


class DataError(ValueError):
    """A file or a tensor of the data set is damaged, foreign or out of range."""


class MissingDataError(DataError):
    """A data set is neither in its folder nor to be had from elsewhere."""


class NonFiniteError(FloatingPointError):
    """NaN or infinity in inputs or hidden states: training has diverged or the data are broken."""


class IncompatibleCheckpointError(ValueError):
    """A checkpoint or artefact was written by another version or for other data."""
