"""What every way to look for patterns can do."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.pattern import Candidate


class Finder(Protocol):
    """A kind of pattern.

    Attributes:
        name: of the kind.
    """

    name: str

    def candidates(self, context: PatternContext, difficulty: Tensor) -> list[Candidate]:
        """Return all that samples may have in common; does not read which of them failed.

        So the same candidates are tested with flags shuffled.

        Args:
            context: samples and training data.
            difficulty: (S,) of the samples.
        """
        ...

    def refined(self, context: PatternContext, candidate: Candidate, stratum: Tensor) -> Candidate:
        """Return a candidate that has passed the test, seen more closely.

        Args:
            context: that it was found in.
            candidate: of this finder.
            stratum: (S,) int64 parts of samples of similar difficulty.
        """
        ...

    def again(self, context: PatternContext, parameters: Mapping[str, float | str]) -> Tensor:
        """Return (S,) bool: other samples that have what a pattern's have.

        Args:
            context: the other samples, and the same training samples.
            parameters: of a pattern of this finder.
        """
        ...
