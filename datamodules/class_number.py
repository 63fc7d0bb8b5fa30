"""The number of a class that somebody names."""

from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import DataSpec


def class_number(asking: str, label: int | str, spec: DataSpec) -> int:
    """Return the number of a class.

    Args:
        asking: what asks for it, by its key.
        label: its number, or its name.
        spec: of the data.

    Raises:
        ConfigurationError: there is no such class.
    """
    names: list[int | str] = [*spec.class_names] or [*range(spec.n_classes)]
    known = [*range(spec.n_classes), *names]
    if label not in known:
        raise ConfigurationError(f"{asking}: no class label={label!r}, there are {names}.")
    return known.index(label) % spec.n_classes
