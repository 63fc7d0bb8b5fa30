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
        # A constant channel is beyond limits, too: of the same samples, the first is told.
        ends = [
            (k, CONSTANT, 0.0, _constant(usual.names[k], share))
            for k, share in enumerate(usual.constant.tolist())
            if not math.isnan(share)
        ]
        for share in BEYOND:
            for end, limits in zip((BELOW, ABOVE), usual.limits(share), strict=True):
                for k, limit in enumerate(limits.tolist()):
                    # Fewer than the share, where many have just this value.
                    own = float(_beyond(usual.values[:, k], end, limit).double().mean())
                    told = f"{usual.names[k]} {end} {limit:.3g}{_as_in(own)}"
                    ends.append((k, end, limit, told))
        values = summaries_of(context.batch, context.spec.kind)
        return [
            Candidate(
                self.name,
                told,
                _beyond(values[:, k], end, limit),
                {"summary": usual.names[k], "end": end, "limit": limit},
                alike=Alike.CLASS,
            )
            for k, end, limit, told in ends
        ]

    def refined(self, context: PatternContext, candidate: Candidate, stratum: Tensor) -> Candidate:
        """Return the candidate as it is."""
        del context, stratum
        return candidate

    def again(self, context: PatternContext, parameters: Mapping[str, float | str]) -> Tensor:
        """Return (S,) bool: the samples beyond the same limit."""
        k = names_of_summaries(context.spec).index(str(parameters["summary"]))
        values = summaries_of(context.batch, context.spec.kind)[:, k]
        return _beyond(values, str(parameters["end"]), float(parameters["limit"]))


def _constant(name: str, share: float) -> str:
    """Return what is said of a channel that never changes, in so many of the training samples."""
    return f"{name.removeprefix('spread of ')} constant{_as_in(share)}"


def _as_in(share: float) -> str:
    return f", as in {share:.1%} of training" if share > 0 else ", as nowhere in training"


def _beyond(values: Tensor, end: str, limit: float) -> Tensor:
    if end == CONSTANT:
        return values == 0
    return torch.gt(values, limit) if end == ABOVE else torch.lt(values, limit)
