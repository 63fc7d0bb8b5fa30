"""What samples have in common, without which samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rnnrepair.sequences import EditRegion

# Kind of those that can be made of every training sample.
EDIT = "edit"


@dataclass(frozen=True)
class Trait:
    """Something that samples have in common.

    Attributes:
        kind: ``edit``, ``word``, ``path``, ``group`` or ``input``.
        description: what it is, for people.
        parameters: of it, plain values by name.
        samples: indices of training samples that have it, the nearest first.
    """

    kind: str
    description: str
    parameters: Mapping[str, float | str]
    samples: tuple[int, ...]

    @property
    def region(self) -> EditRegion | None:
        """Of the edits that its samples can be made by; None where no edit explains it."""
        if "edit" not in self.parameters:
            return None
        low, high = (float(self.parameters[end]) for end in ("from", "to"))
        return EditRegion(str(self.parameters["edit"]), low, high)

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "Trait":
        """Return the trait that was told as plain values."""
        return cls(**{**with_description(plain), "samples": tuple(plain["samples"])})


def with_description(plain: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the plain values of a trait or pattern, as this version names them."""
    # Earlier ones called the description told.
    return {"description" if name == "told" else name: plain[name] for name in plain}


def taught_of(traits: Sequence[Trait]) -> Trait:
    """Return which of the traits of the same failures a network is taught.

    An edit can be made of every training sample; a word or a column has only its own, and says
    where failures gather, where the edit says why.

    Args:
        traits: at least one, the most surprising first.
    """
    return next((trait for trait in traits if trait.kind == EDIT), traits[0])
