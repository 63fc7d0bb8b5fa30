"""Failures that take the same way through the abstract states."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.numbered import is_among, rows_by_number
from rnnrepair.patterns.pattern import Alike, Candidate
from rnnrepair.traces import Traces


class PathPatterns:
    """Failures whose traces share a state or a transition.

    States and transitions are those of the first half of the steps: later ones tell what the
    network answers, and so that it fails, not why.

    Source: ours.
    """

    name = "path"

    def candidates(self, context: PatternContext, difficulty: Tensor) -> list[Candidate]:
        """Return the samples of every way that enough of them take; none without traces."""
        del difficulty
        if context.traces is None:
            return []
        return [
            *_shared(context, _states, lambda k: f"comes through state {k}", "state"),
            *_shared(context, _transitions, _told_transition(context), "transition"),
        ]

    def refined(self, context: PatternContext, candidate: Candidate, stratum: Tensor) -> Candidate:
        """Add the training samples that take the same way."""
        del stratum
        if context.fit is None:
            return candidate
        numbers, of = _OF[str(candidate.parameters["of"])](context.fit)
        rows = of[numbers == int(candidate.parameters["number"])].unique()
        index = context.fit.index[rows]
        own = index[torch.isin(index, context.originals)]
        return replace(candidate, samples=own)

    def again(self, context: PatternContext, parameters: Mapping[str, float | str]) -> Tensor:
        """Return (S,) bool: samples that take the same way; none without traces."""
        if context.traces is None:
            return torch.zeros(len(context), dtype=torch.bool)
        number, row = _OF[str(parameters["of"])](context.traces)
        return is_among(row[number == int(parameters["number"])], len(context))


def _shared(
    context: PatternContext, numbered: "Numbered", told: Callable[[int], str], kind: str
) -> list[Candidate]:
    """Return a candidate for every number that enough samples have."""
    if context.traces is None:
        return []
    found = []
    for value, rows in rows_by_number(*numbered(context.traces), len(context)):
        inside = is_among(rows, len(context))
        one = Candidate(PathPatterns.name, told(value), inside, {"of": kind, "number": value})
        found.append(replace(one, alike=Alike.BOTH))
    return found


# Returns the (n,) numbers of what traces hold, and the (n,) rows of the traces that hold it.
Numbered = Callable[[Traces], tuple[Tensor, Tensor]]


def _early(traces: Traces) -> tuple[Tensor, Tensor]:
    """Return (S,) bool, the steps in the first halves, and the (S,) row of each step."""
    row = torch.arange(len(traces)).repeat_interleave(traces.lengths)
    step = torch.arange(len(row)) - traces.offsets[:-1][row]
    return 2 * step < traces.lengths[row], row


def _states(traces: Traces) -> tuple[Tensor, Tensor]:
    early, row = _early(traces)
    return traces.state.long()[early], row[early]


def _transitions(traces: Traces) -> tuple[Tensor, Tensor]:
    early, row = _early(traces)
    state = traces.state.long()
    inside = early[1:] & (row[1:] == row[:-1]) & (state[1:] != state[:-1])
    return (state[:-1] * traces.n_states + state[1:])[inside], row[1:][inside]


_OF: dict[str, Numbered] = {"state": _states, "transition": _transitions}


def _told_transition(context: PatternContext) -> Callable[[int], str]:
    n_states = 1 if context.traces is None else context.traces.n_states
    return lambda number: "goes from state {} to {}".format(*divmod(number, n_states))
