"""A class that a setting asks for, by its number or by its name."""

from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import DataSpec, Names


def class_number(asking: str, label: int | str, spec: DataSpec) -> int:
    """Return the number of a class.

    Args:
        asking: what asks for it, by its key.
        label: its name, or its number where no class is called that.
        spec: of the data.

    Raises:
        ConfigurationError: there is no such class.
    """
    names = Names.of(spec)
    number = names.number_of(spec.n_classes)(str(label))
    if number is None:
        known = [names.of_class(of) for of in range(spec.n_classes)]
        raise ConfigurationError(f"{asking}: no class label={label!r}, there are {known}.")
    return number
