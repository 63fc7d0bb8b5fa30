"""Which errors are a user's to mend, and what they are told."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import InstantiationException
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf.errors import InterpolationKeyError, MissingMandatoryValue

from rnnrepair.errors import (
    ConfigurationError,
    DataError,
    IncompatibleCheckpointError,
    NonFiniteError,
)

# What Hydra says of where a constructor has failed.
_TARGET, _KEY = r"call to target '([\w.]+)'", r"full_key: ([\w.@]+)"
# What omegaconf says of where a value was to come from.
_SOURCE = r"Interpolation key '([\w.]+)' not found"

# Exit code of a command that a user can mend.
USER_ERROR = 2
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
    if isinstance(error, InstantiationException) and isinstance(cause, TypeError | ValueError):
        # A class of a library that refuses its arguments; one of ours raises an error of ours.
        target, key = (re.search(form, str(error)) for form in (_TARGET, _KEY))
        if target and key and not target[1].startswith("rnnrepair."):
            return f"ConfigurationError: {key[1]} ({target[1]}): {cause}"
    if isinstance(cause, MissingMandatoryValue):
        name = str(cause).splitlines()[0].rpartition(" ")[2]
        value = "outputs/mnist_repair/<time>" if name == "run" else "<value>"
        return f"Missing mandatory value: {name}. Name it, {name}={value}; --help explains it."
    if isinstance(cause, InterpolationKeyError):
        source = re.search(_SOURCE, str(cause))
        if source and cause.full_key:
            return (
                f"ConfigurationError: {cause.full_key} has the value of {source[1]}, which is not "
                f"there: choose a model, data module and so on that belong together, or set "
                f"{cause.full_key}."
            )
    return f"{type(cause).__name__}: {cause}" if isinstance(cause, USER_ERRORS) else None


@contextmanager
def ending_in_one_line(log: logging.Logger) -> Iterator[None]:
    """End a command with ``USER_ERROR`` and a line in its log where a user can mend what is wrong.

    Any other error is a fault of the program, and keeps its traceback.
    """
    try:
        yield
    except Exception as error:
        line = told(error)
        if line is None:
            raise
        log.error("%s", line)
        sys.exit(USER_ERROR)
