"""Which errors are a user's to mend, and what they are told."""

from hydra.errors import InstantiationException
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf.errors import MissingMandatoryValue

from rnnrepair.errors import (
    ConfigurationError,
    DataError,
    IncompatibleCheckpointError,
    NonFiniteError,
)

USER_ERRORS = (
    ConfigurationError,
    DataError,
    IncompatibleCheckpointError,
    MisconfigurationException,
    NonFiniteError,
)


def told(error: Exception) -> str | None:
    """Return an error that a user can mend as one line, None for any other."""
    # Hydra wraps what constructors raise; the cause is what the user can act on.
    cause = error.__cause__ if isinstance(error, InstantiationException) else error
    if isinstance(cause, MissingMandatoryValue):
        return f"{str(cause).splitlines()[0]}. Name it, such as run=outputs/mnist_repair/<time>."
    return f"{type(cause).__name__}: {cause}" if isinstance(cause, USER_ERRORS) else None
