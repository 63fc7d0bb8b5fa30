"""Networks on the way from the unrepaired to the repaired one (docs/method.md 6.10)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.network import Predictions
from rnnrepair.network.weights import copied, weights_that_differ, with_weights
from rnnrepair.protocols import Split
from rnnrepair.repair.outcome import Outcome
from rnnrepair.scores import Monitor, confusion, score

# How far on the way, 0 is the unrepaired and 1 the repaired network.
FACTORS = tuple(eighths / 8 for eighths in range(9))


def interpolated(
    unrepaired: Mapping[str, Any], repaired: Mapping[str, Any], factor: float
) -> dict[str, Any]:
    """Return the weights (1 - factor) * unrepaired + factor * repaired, by name.

    So are the running means and variances of normalisation layers: the two networks lie on one
    training, and it is with these numbers that val judges the mixed network. Counts and all else
    that is no fraction are those of the repaired network. What both have alike stays as it is.

    Args:
        unrepaired: state dict of a network.
        repaired: of the same network after more training.
        factor: in [0, 1]; at both ends the weights are those of one network, bit for bit.

    Raises:
        IncompatibleCheckpointError: names the tensors that only one has, or that differ in shape.
        ValueError: ``factor`` is out of range.
    """
    if not 0 <= factor <= 1:
        raise ValueError(f"factor: expected a number from 0 to 1, got {factor!r}.")
    differing = weights_that_differ(unrepaired, repaired)
    if differing:
        raise IncompatibleCheckpointError(
            "The unrepaired and the repaired network have different weights, so there is nothing "
            f"between them; in the unrepaired one {differing}. Give two states of one network."
        )
    if factor in {0, 1}:
        return copied(repaired if factor else unrepaired)
    return {name: _between(unrepaired[name], end, factor) for name, end in repaired.items()}


def _between(start: Any, end: Any, factor: float) -> Any:
    if not isinstance(end, Tensor):
        return end
    if not (end.is_floating_point() or end.is_complex()):
        return end.clone()
    start = start.to(end)
    # Infinite entries, as masks have them, have no difference.
    return torch.where(start == end, end, torch.lerp(start, end, factor))


@dataclass(frozen=True, eq=False)
class Curve:
    """What the networks on the way answer.

    Attributes:
        factors: ascending, the first is 0 and the last is 1.
        answers: by split, one for each factor; ``val`` is among them.
    """

    factors: tuple[float, ...]
    answers: Mapping[Split, tuple[Predictions, ...]]

    def outcome(self, split: Split, place: int) -> Outcome:
        """Return what has changed in a split between the unrepaired network and a later one."""
        return Outcome.of(self.answers[split][0], self.answers[split][place])

    def score(self, split: Split, place: int, monitor: Monitor) -> float:
        """Return the score of a network on a split."""
        said = self.answers[split][place]
        return score(confusion(said.label, said.predicted), monitor)

    def best(self, monitor: Monitor) -> int:
        """Return the place of the network with the best score on val; of equal ones the last."""
        places = range(len(self.factors))
        return max(places, key=lambda place: (self.score("val", place, monitor), place))


def curve_of(
    module: nn.Module,
    unrepaired: Mapping[str, Any],
    answer: Callable[[Split], Predictions],
    before: Mapping[Split, Predictions],
    after: Mapping[Split, Predictions],
    factors: tuple[float, ...] = FACTORS,
) -> Curve:
    """Ask all networks on the way from the unrepaired to the repaired one.

    Args:
        module: the repaired network; it is left as it was.
        unrepaired: state dict of the unrepaired one.
        answer: returns what the module answers on a split, as it is.
        before: what the unrepaired network answers on the wanted splits; it is not asked again.
        after: what the repaired network answers on them.
        factors: ascending, from 0 to 1.

    Raises:
        IncompatibleCheckpointError: they are two different networks, or asked of other samples.
    """
    repaired = copied(module.state_dict())
    answers: dict[Split, list[Predictions]] = {split: [] for split in before}
    for factor in factors:
        if factor in {0, 1}:
            found = {split: (after if factor else before)[split] for split in answers}
        else:
            with with_weights(module, interpolated(unrepaired, repaired, factor)):
                found = {split: answer(split) for split in answers}
        for split, said in found.items():
            answers[split].append(said)
    return Curve(factors, {split: tuple(said) for split, said in answers.items()})
