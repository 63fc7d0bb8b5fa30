"""What kind of data it is: said once, by the data, and never guessed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from rnnrepair.errors import ConfigurationError


class Kind(StrEnum):
    """What a step of a sequence is."""

    TOKENS = "tokens"
    SERIES = "series"
    IMAGE = "image"


class Target(StrEnum):
    """What is classified."""

    SEQUENCE = "sequence"
    STEP = "step"


@dataclass(frozen=True)
class DataSpec:
    """Description of a data set, by which methods, strategies, edits and figures are chosen.

    Attributes:
        kind: tokens (whole numbers), series (features over time) or image (rows of pixels).
        step_width: F, values a step; 1 for tokens.
        n_classes: C.
        target: what has a label.
        class_names: by class; numbers stand for those that have none.
        token_names: by token.
        max_steps: longest sequence, None where it is not known.
        unknown: token of all words without a number, None where there is none.
    """

    kind: Kind
    step_width: int
    n_classes: int
    target: Target = Target.SEQUENCE
    class_names: Sequence[str] = ()
    token_names: Sequence[str] = ()
    max_steps: int | None = None
    unknown: int | None = None

    def __post_init__(self) -> None:
        """Take names for enums, and refuse what cannot be.

        Raises:
            ConfigurationError: names the argument.
        """
        for name, enum in (("kind", Kind), ("target", Target)):
            value = getattr(self, name)
            if value not in list(enum):
                raise ConfigurationError(
                    f"{name} must be one of {[e.value for e in enum]}, got {value!r}."
                )
            object.__setattr__(self, name, enum(value))
        for name, least in (("step_width", 1), ("n_classes", 2)):
            if getattr(self, name) < least:
                raise ConfigurationError(
                    f"{name} must be at least {least}, got {getattr(self, name)}."
                )


EVERY_KIND = frozenset(Kind)


class Fits(Protocol):
    """A method, strategy or family of edits that says what data it can be used on."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def fits(self) -> frozenset[Kind]:
        """Kinds of data that it is made for."""
        ...


def check_fits(parts: Iterable[tuple[str, Fits]], spec: DataSpec) -> None:
    """Refuse parts that are not made for the data, all in one message.

    Args:
        parts: the key or argument that chose each, and the part.
        spec: of the data.

    Raises:
        ConfigurationError: names every misfit with the kinds that it is made for.
    """
    misfits = [
        f"{what} {part.name} is made for {' and '.join(sorted(part.fits))}"
        for what, part in parts
        if spec.kind not in part.fits
    ]
    if misfits:
        raise ConfigurationError(
            f"The data are {spec.kind}: {'; '.join(misfits)}. Choose what is made for {spec.kind}."
        )
