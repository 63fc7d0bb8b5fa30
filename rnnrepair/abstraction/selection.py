"""Choice of the number of states, on validation states only."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Selection(StrEnum):
    """Rule by which K is chosen from several."""

    BIC = "bic"
    STABILITY = "stability"


@dataclass(frozen=True)
class Candidate:
    """What is known of one K on validation states.

    Attributes:
        n_components: K.
        bic: Bayesian information criterion, smaller is better.
        stability: mean stability of the visited states.
    """

    n_components: int
    bic: float
    stability: float


def choose(candidates: Sequence[Candidate], selection: Selection, threshold: float) -> int:
    """Return the position of the chosen candidate.

    ``bic`` takes the smallest criterion; ``stability`` the smallest K whose mean stability
    reaches ``threshold`` and, where none does, the most stable one.

    Source: automatic rule of the RNNRepair code (mean stability of at least 0.72).

    Example:
        >>> some = [Candidate(7, 10.0, 0.6), Candidate(16, 9.0, 0.8), Candidate(43, 9.5, 0.9)]
        >>> choose(some, Selection.STABILITY, 0.72), choose(some, Selection.BIC, 0.72)
        (1, 1)
    """
    positions = range(len(candidates))
    if selection is Selection.BIC:
        return min(positions, key=lambda i: candidates[i].bic)
    stable = [i for i in positions if candidates[i].stability >= threshold]
    if stable:
        return min(stable, key=lambda i: candidates[i].n_components)
    return max(positions, key=lambda i: candidates[i].stability)
