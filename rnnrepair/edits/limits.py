"""Checks of the limits of a family, with the config key in the message."""

from collections.abc import Mapping

from rnnrepair.errors import ConfigurationError


def check_factors(family: str, factors: Mapping[str, tuple[float, float] | None]) -> None:
    """Refuse pairs that are not a smallest and a largest factor above 0; None is no edit.

    Raises:
        ConfigurationError: names the key.
    """
    for name, pair in factors.items():
        if pair is None:
            continue
        low, high = pair
        if not 0 < low <= high:
            raise ConfigurationError(
                f"edits.{family}.{name} must be two factors 0 < low <= high, got {tuple(pair)}."
            )


def check_sizes(family: str, sizes: Mapping[str, float | None]) -> None:
    """Refuse sizes below 0; None is no edit.

    Raises:
        ConfigurationError: names the key.
    """
    for name, size in sizes.items():
        if size is not None and not size >= 0:
            raise ConfigurationError(f"edits.{family}.{name} must not be negative, got {size}.")
