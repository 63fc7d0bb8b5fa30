"""Failures whose values are unlike those of training."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.pattern import Alike, Candidate
from rnnrepair.sequences.summaries import Usual, names_of_summaries, summaries_of

ABOVE, BELOW, CONSTANT = "above", "below", "constant"
# Shares of the training samples beyond a limit: of what is odd, training may hold a little itself.
BEYOND = (0.01, 0.05)


class InputPatterns:
    """Failures with a constant channel, or one whose mean or spread few training samples have.

    They say where failures gather and need no edit, which makes its samples hard: where it makes
    all hard samples, no other is as hard to compare them with.

    Source: ours.
    """

    name = "input"

    def candidates(self, context: PatternContext, difficulty: Tensor) -> list[Candidate]:
        """Return the samples beyond each limit that training has, and those with dead channels."""
        del difficulty
        usual = Usual.of(context.spec, context.fetch, context.originals)
        values = summaries_of(context.batch, context.spec.kind)
        # A constant channel is beyond limits, too: of the same samples, the first is told.
        found = [
            _candidate(usual, values, k, CONSTANT, 0.0)
            for k, share in enumerate(usual.constant.tolist())
            if not math.isnan(share)
        ]
        for share in BEYOND:
            for end, limits in zip((BELOW, ABOVE), usual.limits(share), strict=True):
                found += [
                    _candidate(usual, values, k, end, limit)
                    for k, limit in enumerate(limits.tolist())
                ]
        return found

    def refined(self, context: PatternContext, candidate: Candidate, stratum: Tensor) -> Candidate:
        """Return the candidate as it is."""
        del context, stratum
        return candidate

    def again(self, context: PatternContext, parameters: Mapping[str, float | str]) -> Tensor:
        """Return (S,) bool: the samples beyond the same limit."""
        k = names_of_summaries(context.spec).index(str(parameters["summary"]))
        values = summaries_of(context.batch, context.spec.kind)[:, k]
        return _beyond(values, str(parameters["end"]), float(parameters["limit"]))


def _candidate(usual: Usual, values: Tensor, k: int, end: str, limit: float) -> Candidate:
    """Return the samples whose summary ``k`` is beyond a limit, and what is said of them."""
    name, inside = usual.names[k], _beyond(values[:, k], end, limit)
    # Fewer than the share, where many have just this value.
    own = float(_beyond(usual.values[:, k], end, limit).double().mean())
    if end == CONSTANT:
        told = f"{name.removeprefix('spread of ')} constant"
    else:
        told = usual.said(k, end, limit, values[inside, k]) if bool(inside.any()) else name
    as_in = f"as in {own:.1%} of training" if own > 0 else "as nowhere in training"
    parameters: dict[str, float | str] = {"summary": name, "end": end, "limit": limit}
    told = f"{told}, {as_in}"
    return Candidate(InputPatterns.name, told, inside, parameters, alike=Alike.CLASS)


def _beyond(values: Tensor, end: str, limit: float) -> Tensor:
    if end == CONSTANT:
        return values == 0
    return torch.gt(values, limit) if end == ABOVE else torch.lt(values, limit)
