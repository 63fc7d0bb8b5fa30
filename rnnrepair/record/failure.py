"""One failure of the unrepaired network: where it went wrong, and which samples belong to it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from rnnrepair.influence import Role

Span = tuple[int, int]
"""First step and end of a part of a sequence; (0, 0) for none."""


@dataclass(frozen=True)
class Neighbour:
    """A training sample behind a failure.

    Attributes:
        index: of the sample.
        label: its class when it was found.
        role: why it stands there.
        distance: of a nearest one, None for others.
        end: steps of a context up to the place that it has in common with the failure.
        run: transitions in common up to there.
    """

    index: int
    label: int
    role: Role
    distance: float | None = None
    end: int = 0
    run: int = 0

    @property
    def common(self) -> Span:
        """What it has in common with the failure.

        Without a common run that is the visit of the state: the one step before it.
        """
        return self.end - max(self.run, min(self.end, 1)), self.end

    def plain(self) -> dict[str, Any]:
        """Return numbers and strings, for a checkpoint."""
        return asdict(self) | {"role": self.role.value}

    @classmethod
    def of_plain(cls, told: Mapping[str, Any]) -> "Neighbour":
        """Return the neighbour that ``plain`` told."""
        return cls(**{**told, "role": Role(told["role"])})


@dataclass(frozen=True)
class Injected:
    """A sample that was injected for a failure.

    Attributes:
        index: of the sample.
        label: its class.
        piece: the part of it that comes from the failure.
        parent: index of the sample that it was made from.
    """

    index: int
    label: int
    piece: Span
    parent: int = -1


@dataclass(frozen=True, eq=False)
class Failure:
    """A failure of T steps on the repair split, as the unrepaired network saw it.

    Attributes:
        index: of the sequence.
        label: its true class.
        predicted: the class that the unrepaired network gives it.
        state: (T,) int64 abstract state after each step.
        prediction: (T,) int64 step predictions.
        step: the responsible step, after which the prediction leaves the truth for good.
        segment: the responsible segment around it.
        contrast: how much nearer the failure is to samples of the predicted label than of the true
            one; NaN where there are none of either, None where nobody has looked.
        neighbours: training samples behind it, in the order in which they are told.
        injected: the first samples that were injected for it.
    """

    index: int
    label: int
    predicted: int
    state: Tensor
    prediction: Tensor
    step: int
    segment: Span
    contrast: float | None
    neighbours: tuple[Neighbour, ...]
    injected: tuple[Injected, ...]

    @property
    def ever_right(self) -> bool:
        """Whether the step prediction was the true class at any step."""
        return bool((self.prediction == self.label).any())

    def plain(self) -> dict[str, Any]:
        """Return tensors, numbers and strings, for a checkpoint."""
        return asdict(self) | {"neighbours": [n.plain() for n in self.neighbours]}

    @classmethod
    def of_plain(cls, told: Mapping[str, Any]) -> "Failure":
        """Return the failure that ``plain`` told, or that was told as JSON and tensors."""
        changed = {
            "segment": _span(told["segment"]),
            "neighbours": tuple(map(Neighbour.of_plain, told["neighbours"])),
            "injected": tuple(
                Injected(**{**sample, "piece": _span(sample["piece"])})
                for sample in told["injected"]
            ),
        }
        return cls(**{**told, **changed})


def _span(told: Any) -> Span:
    first, end = told
    return int(first), int(end)
