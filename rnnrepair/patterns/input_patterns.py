"""Failures whose values are unlike those of training."""

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.pattern import Alike, Candidate
from rnnrepair.sequences.summaries import Usual, names_of_summaries, summaries_of

ABOVE, BELOW, CONSTANT = "above", "below", "constant"


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
        found = []
        for k, name in enumerate(usual.names):
            low, high = float(usual.low[k]), float(usual.high[k])
            told = f"{name} {{}} {{:.3g}}, as in 1 % of training"
            ends = [(ABOVE, high, told.format(ABOVE, high)), (BELOW, low, told.format(BELOW, low))]
            if bool(usual.varies[k]):
                ends.append((CONSTANT, 0.0, f"{name.removeprefix('spread of ')} constant"))
            for end, limit, text in ends:
                parameters: dict[str, float | str] = {"summary": name, "end": end, "limit": limit}
                inside = _beyond(values[:, k], end, limit)
                found.append(Candidate(self.name, text, inside, parameters, alike=Alike.CLASS))
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


def _beyond(values: Tensor, end: str, limit: float) -> Tensor:
    if end == CONSTANT:
        return values == 0
    return torch.gt(values, limit) if end == ABOVE else torch.lt(values, limit)
