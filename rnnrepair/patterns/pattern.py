"""What some failures have in common."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from rnnrepair.patterns.trait import Trait, taught_of, with_description

# Samples that a pattern has at least, those of one group as one.
LEAST_INSIDE = 8


def _none() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


class Alike(Enum):
    """Which samples a candidate's own are compared with, as a pair: of difficulty, of class.

    Hard samples come near to edited ones anyway, and take other ways: their failures are expected.
    What a sample is made of (its words, a column) does not follow from how hard it is, but may be
    why: samples of a broken device are hard, and compared with one another they would tell nothing.
    What may stand for a class is compared within it, since classes differ in how often they fail:
    edits too, for digits of one class come nearer to a certain edit than others.
    """

    DIFFICULTY = (True, False)
    CLASS = (False, True)
    BOTH = (True, True)

    @property
    def by_difficulty(self) -> bool:
        """Whether with samples of similar difficulty alone."""
        return self.value[0]

    @property
    def by_class(self) -> bool:
        """Whether with samples of their class alone."""
        return self.value[1]


@dataclass(frozen=True)
class Candidate:
    """Something that samples may have in common, before anybody has asked whether they fail more.

    Attributes:
        kind: ``edit``, ``word``, ``path``, ``group`` or ``input``.
        description: what they have in common, for people.
        inside: (S,) bool, the samples that have it.
        parameters: of it, plain values by name.
        samples: (n,) int64 training samples that have it, the nearest first.
        weight: what its z counts in the test, among candidates of its kind.
        alike: which samples its own are compared with, see ``Alike``.
        wide: whether it is so large a share of the samples that it is asked last: only where a
            smaller one has passed, so that what is looked for among few samples is not harder to
            find for it.
    """

    kind: str
    description: str
    inside: Tensor
    parameters: dict[str, float | str] = field(default_factory=dict)
    samples: Tensor = field(default_factory=_none)
    weight: float = 1.0
    alike: Alike = Alike.DIFFICULTY
    wide: bool = False

    @property
    def trait(self) -> Trait:
        """What the samples have in common, without them."""
        return Trait(self.kind, self.description, self.parameters, tuple(self.samples.tolist()))


@dataclass(frozen=True)
class Pattern:
    """Failures that have one thing in common, more of them than chance explains.

    Attributes:
        kind: ``edit``, ``word``, ``path``, ``group`` or ``input``.
        description: what they have in common, for people.
        members: (n,) int64 indices of the failures, ascending.
        inside: (m,) int64 indices of all samples that have it, failures or not, ascending.
        error_inside: share of these that failed.
        error_outside: the same of all other samples, without those of patterns found before.
        p: probability that the best of all that was tried is as good by chance.
        parameters: of what they have in common, plain values by name.
        samples: (k,) int64 training samples that have it too, the nearest first.
        also: what else most of the same failures have in common: the most surprising of each other
            kind and of each other column, where it has passed the same test.
        within: which value narrows it, see ``told_within``. Empty for none.
    """

    kind: str
    description: str
    members: Tensor
    inside: Tensor
    error_inside: float
    error_outside: float
    p: float
    parameters: dict[str, float | str]
    samples: Tensor
    also: tuple[Trait, ...] = ()
    within: str = ""

    @property
    def size(self) -> int:
        """Failures."""
        return len(self.members)

    def __repr__(self) -> str:
        """Return its name: hundreds of indices tell nobody anything."""
        return f"Pattern({self.name!r})"

    @property
    def name(self) -> str:
        """What a person reads: what it is, how many failures, the error inside and outside."""
        failures = "failure" if self.size == 1 else "failures"
        told = ", ".join(trait.description for trait in self.also)
        also = f"; most of these failures also: {told}" if told else ""
        also += f"; {self.within}" if self.within else ""
        return (
            f"{self.description}: {self.size} {failures}, error {self.error_inside:.0%} inside, "
            f"{self.error_outside:.1%} outside{also}"
        )

    def __str__(self) -> str:
        return self.name

    @property
    def taught(self) -> Trait:
        """What a network is taught: the edit that its failures have, where one explains them."""
        own = Trait(self.kind, self.description, self.parameters, tuple(self.samples.tolist()))
        return taught_of([own, *self.also])

    def joined(self, more: "Pattern") -> "Pattern":
        """Return one pattern of this and another of the same description, found after it.

        Args:
            more: whose other samples are without those of this one.
        """
        members = torch.cat([self.members, more.members]).sort().values
        inside = torch.cat([self.inside, more.inside]).sort().values
        return replace(
            self,
            members=members,
            inside=inside,
            error_inside=len(members) / len(inside),
            error_outside=more.error_outside,
            # It counts what was found first.
            within="",
        )

    def plain(self) -> dict[str, Any]:
        """Return numbers, strings and lists, for a checkpoint or JSON."""
        numbers = {name: getattr(self, name).tolist() for name in _NUMBERS}
        return asdict(self) | numbers

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "Pattern":
        """Return the pattern that was told as plain values."""
        numbers = {name: torch.tensor(plain[name], dtype=torch.int64) for name in _NUMBERS}
        # Checkpoints of earlier versions have none.
        also = tuple(Trait.of_plain(trait) for trait in plain.get("also", ()))
        return cls(**{**with_description(plain), **numbers, "also": also})

    @classmethod
    def of(
        cls,
        candidate: Candidate,
        index: Tensor,
        failed: Tensor,
        outside: Tensor,
        p: float,
        also: tuple[Trait, ...] = (),
        within: str = "",
    ) -> "Pattern":
        """Name what a candidate's samples have in common.

        Args:
            candidate: that has passed the test.
            index: (S,) of all samples.
            failed: (S,) bool.
            outside: (S,) bool, the samples that it is told beside.
            p: of the test.
            also: see ``Pattern``.
            within: see ``Pattern``.
        """
        inside = candidate.inside
        return cls(
            kind=candidate.kind,
            description=candidate.description,
            members=index[inside & failed],
            inside=index[inside],
            error_inside=error_of(failed, inside),
            error_outside=error_of(failed, outside),
            p=p,
            parameters=candidate.parameters,
            samples=candidate.samples,
            also=also,
            within=within,
        )


def error_of(failed: Tensor, inside: Tensor) -> float:
    """Return the share of some of (S,) samples that failed, 0 of none."""
    return float(failed[inside].double().mean()) if bool(inside.any()) else 0.0


# Attributes of patterns that are indices.
_NUMBERS = ("members", "inside", "samples")
