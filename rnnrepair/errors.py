"""Errors that a user can act on: each message says what was expected, what came, what to change."""


class ConfigurationError(ValueError):
    """A value in the configuration is unknown, out of range or contradicts another one."""


class DataError(ValueError):
    """A file or a tensor of the data set is damaged, foreign or out of range."""


class MissingDataError(DataError):
    """A data set is neither in its folder nor to be had from elsewhere."""


class NonFiniteError(FloatingPointError):
    """NaN or infinity in inputs or hidden states: training has diverged or the data are broken."""


class IncompatibleCheckpointError(ValueError):
    """A checkpoint or artefact was written by another version or for other data."""
