"""Failures that the data themselves put into one group."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.pattern import LEAST_INSIDE, SAMPLES, Candidate
from rnnrepair.sequences import Names

CLASS = "class"
# Parts of about equal size that lengths are cut into.
LENGTHS = 4


class GroupPatterns:
    """Failures of one class, of like length, or of one value of the user's own columns.

    Source: ours.
    """

    name = "group"

    def __init__(self, columns_only: bool = False) -> None:
        """Choose where to look.

        Args:
            columns_only: whether classes and lengths are left out.
        """
        self.columns_only = columns_only

    def candidates(self, context: PatternContext, difficulty: Tensor) -> list[Candidate]:
        """Return the samples of every group."""
        del difficulty
        own = [] if self.columns_only else [*_classes(context), *_lengths(context)]
        return [*own, *_columns(context)]

    def refined(
        self, context: PatternContext, candidate: Candidate, difficulty: Tensor
    ) -> Candidate:
        """Add the training samples of the group."""
        del difficulty
        batch = context.fetch(context.originals)
        own = _has(context, batch.index, batch.label, batch.lengths, candidate.parameters)
        return Candidate(
            *(candidate.kind, candidate.told, candidate.inside, candidate.parameters),
            batch.index[own][:SAMPLES],
        )

    def again(self, context: PatternContext, parameters: Mapping[str, float | str]) -> Tensor:
        """Return (S,) bool: the samples of the same group."""
        return _inside(context, parameters)


def _inside(context: PatternContext, parameters: Mapping[str, float | str]) -> Tensor:
    return _has(context, context.index, context.label, context.batch.lengths, parameters)


def _has(
    context: PatternContext,
    index: Tensor,
    label: Tensor,
    lengths: Tensor,
    parameters: Mapping[str, float | str],
) -> Tensor:
    """Return (n,) bool: samples that belong to a group.

    Args:
        context: the data.
        index: (n,) of the samples.
        label: (n,) their classes.
        lengths: (n,) their steps.
        parameters: of the group.
    """
    column = str(parameters["column"])
    if column == CLASS:
        return label == int(parameters["number"])
    if column == "length":
        return (lengths >= int(parameters["low"])) & (lengths <= int(parameters["high"]))
    values = context.columns[column]
    return torch.tensor([values[i] == parameters["value"] for i in index.tolist()])


def _candidate(context: PatternContext, told: str, parameters: dict[str, float | str]) -> Candidate:
    is_class = parameters["column"] == CLASS
    return Candidate(
        *("group", told, _inside(context, parameters), parameters), within_class=not is_class
    )


def _classes(context: PatternContext) -> list[Candidate]:
    names = Names.of(context.spec)
    return [
        _candidate(context, f"class {names.of_class(n)}", {"column": CLASS, "number": n})
        for n in context.label.unique().tolist()
    ]


def _lengths(context: PatternContext) -> list[Candidate]:
    """Return the shortest, ... and the longest samples, where they differ in length."""
    parts = torch.linspace(0, 1, LENGTHS + 1, dtype=torch.float64)
    edges = context.batch.lengths.double().quantile(parts).round().long().unique().tolist()
    ends = [edge - 1 for edge in edges[1:-1]] + edges[-1:]
    return [
        _candidate(
            *(context, f"{low} to {high} steps long"),
            {"column": "length", "low": low, "high": high},
        )
        for low, high in zip(edges[:-1], ends, strict=False)
    ]


def _columns(context: PatternContext) -> list[Candidate]:
    """Return the values that enough samples have: a number may have as many as there are."""
    found = []
    for column, values in context.columns.items():
        counts = Counter(values[i] for i in context.index.tolist())
        common = sorted(value for value, n in counts.items() if n >= LEAST_INSIDE)
        made = (
            _candidate(context, f"{column} {value}", {"column": column, "value": value})
            for value in common
        )
        found += [replace(candidate, as_hard=False) for candidate in made]
    return found
