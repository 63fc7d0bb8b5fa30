"""What kind of data it is: said once, by the data, and never guessed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences.rough_scale import RoughScale
from rnnrepair.settings import Count, at_least, check_settings, one_of


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
        between_tokens: stands between two tokens where they are shown as text.
        max_steps: longest sequence, None where it is not known.
        unknown: token of all words without a number, None where there is none.
        padding: token that stands behind the end of shorter texts, None where there is none.
        channel_names: by feature of a series; numbers stand for those that have none.
        units: by feature of a series, empty where they are not known.
        largest_token: of all splits, None where it is not known.
        scale: of the features of a series; None where they are scaled, or it is not known.
    """

    kind: Annotated[Kind, one_of(Kind)]
    step_width: Count
    n_classes: Annotated[int, at_least(2)]
    target: Annotated[Target, one_of(Target)] = Target.SEQUENCE
    class_names: Sequence[str] = ()
    token_names: Sequence[str] = ()
    between_tokens: str = " "
    max_steps: int | None = None
    unknown: int | None = None
    padding: int | None = None
    channel_names: Sequence[str] = ()
    units: Sequence[str] = ()
    largest_token: int | None = None
    scale: RoughScale | None = None

    def __post_init__(self) -> None:
        """Take names for enums, and refuse what cannot be.

        Raises:
            SettingsError: names every argument that cannot be.
        """
        check_settings(DataSpec, vars(self))
        object.__setattr__(self, "kind", Kind(self.kind))
        object.__setattr__(self, "target", Target(self.target))


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
        parts: the argument that chose each, and the part.
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
