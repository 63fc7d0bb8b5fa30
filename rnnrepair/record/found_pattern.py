"""What failures were found to have in common, and what became of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rnnrepair.patterns import Pattern, Trait, taught_of, with_description
from rnnrepair.protocols import Split
from rnnrepair.record.answers import SplitAnswers

# Training samples of a pattern that are told.
SAMPLES = 500


@dataclass(frozen=True)
class PatternErrors:
    """The samples of a split that have a pattern, before and after.

    Attributes:
        samples: how many there are.
        before: of these, those that the unrepaired network gets wrong.
        after: those that the final one does.
    """

    samples: int
    before: int
    after: int


@dataclass(frozen=True)
class FoundPattern:
    """A pattern of the unrepaired network's failures on the repair split.

    Attributes:
        kind: ``edit``, ``word``, ``path`` or ``group``.
        description: what the failures have in common.
        failures: their indices.
        samples: indices of training samples that have it too, the nearest first.
        parameters: of it, plain values by name.
        error_inside: share of the samples with it that failed when it was found.
        error_outside: the same of all others.
        p: that chance is as good, corrected over all that was tried.
        injected: samples that were made for failures with it.
        splits: by split, what became of the samples that have it.
        also: what else most of the failures have in common.
        within: which value of a column most of them have within it; empty for none.
    """

    kind: str
    description: str
    failures: tuple[int, ...]
    samples: tuple[int, ...]
    parameters: Mapping[str, float | str]
    error_inside: float
    error_outside: float
    p: float
    injected: int
    splits: Mapping[Split, PatternErrors]
    also: tuple[Trait, ...] = ()
    within: str = ""

    @classmethod
    def of(
        cls,
        pattern: Pattern,
        inside: Mapping[Split, Tensor],
        answers: Mapping[Split, SplitAnswers],
        injected: int,
    ) -> "FoundPattern":
        """Tell what became of a pattern.

        Args:
            pattern: as it was found.
            inside: (m,) int64 indices of the samples that have it, by split.
            answers: of both networks, on these splits at least.
            injected: samples that were made for failures with it.
        """
        return cls(
            kind=pattern.kind,
            description=pattern.description,
            failures=tuple(pattern.members.tolist()),
            samples=tuple(pattern.samples[:SAMPLES].tolist()),
            parameters=dict(pattern.parameters),
            error_inside=pattern.error_inside,
            error_outside=pattern.error_outside,
            p=pattern.p,
            injected=injected,
            splits={split: _errors(index, answers[split]) for split, index in inside.items()},
            also=tuple(replace(one, samples=one.samples[:SAMPLES]) for one in pattern.also),
            within=pattern.within,
        )

    @property
    def taught(self) -> Trait:
        """What the network was taught: see ``Pattern``."""
        own = Trait(self.kind, self.description, self.parameters, self.samples)
        return taught_of([own, *self.also])

    def plain(self) -> dict[str, Any]:
        """Return numbers, strings and lists, for JSON."""
        return asdict(self)

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "FoundPattern":
        """Return the pattern that was told as plain values."""
        lists = {name: tuple(plain[name]) for name in ("failures", "samples")}
        # Records of earlier versions have none.
        also = tuple(Trait.of_plain(trait) for trait in plain.get("also", ()))
        splits = {split: PatternErrors(**errors) for split, errors in plain["splits"].items()}
        return cls(**{**with_description(plain), **lists, "also": also, "splits": splits})


def _errors(index: Tensor, answers: SplitAnswers) -> PatternErrors:
    inside = torch.isin(answers.index, index)
    wrong = [(p != answers.label)[inside] for p in (answers.before, answers.after)]
    return PatternErrors(int(inside.sum()), *(int(w.sum()) for w in wrong))
