"""Failures that the data themselves put into one group."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from rnnrepair.patterns.columns import groups_of, is_in, members_of_groups, sharper_group
from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.excess import Excess
from rnnrepair.patterns.pattern import Alike, Candidate
from rnnrepair.patterns.strata import comparable
from rnnrepair.sequences import Names, SequenceBatch

CLASS, LENGTH = "class", "length"
# Parts of about equal size that lengths are cut into.
LENGTHS = 4
# Training samples that are fetched together, to see how long they are.
FETCHED = 2000


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

    def refined(self, context: PatternContext, candidate: Candidate, stratum: Tensor) -> Candidate:
        """Find the end of a quarter at which failures part best, and add the training samples."""
        candidate = _sharper(context, candidate, stratum)
        index = context.originals

        def lengths() -> Tensor:
            parts = index.split(FETCHED)
            return torch.cat([_lengths_of(context.fetch(part)) for part in parts])

        own = _has(context, index, context.original_label, lengths, candidate.parameters)
        return replace(candidate, samples=index[own])

    def again(self, context: PatternContext, parameters: Mapping[str, float | str]) -> Tensor:
        """Return (S,) bool: the samples of the same group."""
        return _inside(context, parameters)


def _sharper(context: PatternContext, candidate: Candidate, stratum: Tensor) -> Candidate:
    """Return the first or last quarter of a column with another end; any other group as it is.

    What has passed the test is the quarter: another end is told where it exceeds chance by as much.
    Of samples in groups, few values are many samples: there the quarter stays.
    """
    column = str(candidate.parameters.get("column", ""))
    ends = {name: end for name, end in candidate.parameters.items() if name in ("low", "high")}
    in_groups = len(context.group.unique()) < len(context)
    if not column or len(ends) != 1 or in_groups:
        return candidate
    compared = context.failed, context.label
    told, group = sharper_group(context.columns[column], context.index, *compared, ends)
    if group == ends:
        return candidate
    parameters = {"column": column, **group}
    inside = _inside(context, parameters)
    parts = comparable(stratum, candidate.alike, context.label)
    excess = Excess(context.failed, parts)
    now, before = excess.of(torch.stack([inside, candidate.inside])).tolist()
    if now < before:
        return candidate
    return replace(candidate, description=f"{column} {told}", parameters=parameters, inside=inside)


def _inside(context: PatternContext, parameters: Mapping[str, float | str]) -> Tensor:
    own = context.index, context.label
    return _has(context, *own, lambda: _lengths_of(context.batch), parameters)


def _has(
    context: PatternContext,
    index: Tensor,
    label: Tensor,
    lengths: Callable[[], Tensor],
    parameters: Mapping[str, float | str],
) -> Tensor:
    """Return (n,) bool: samples that belong to a group.

    Args:
        context: the data.
        index: (n,) of the samples.
        label: (n,) their classes.
        lengths: returns (n,) their steps: only groups of lengths fetch the sequences for it.
        parameters: of the group.
    """
    if "column" in parameters:
        return is_in(context.columns[str(parameters["column"])], index, parameters)
    if parameters["group"] == CLASS:
        return label == int(parameters["number"])
    low, high = (float(parameters.get(end, at)) for end, at in (("low", 0), ("high", math.inf)))
    steps = lengths()
    return (steps >= low) & (steps <= high)


def _lengths_of(batch: SequenceBatch) -> Tensor:
    return batch.without_front().lengths


def _candidate(told: str, inside: Tensor, parameters: dict[str, float | str]) -> Candidate:
    alike = Alike.DIFFICULTY if parameters.get("group") == CLASS else Alike.CLASS
    return Candidate(GroupPatterns.name, told, inside, parameters, alike=alike)


def _classes(context: PatternContext) -> list[Candidate]:
    names = Names.of(context.spec)
    return [
        _candidate(f"class {names.of_class(n)}", context.label == n, {"group": CLASS, "number": n})
        for n in context.label.unique().tolist()
    ]


def _lengths(context: PatternContext) -> list[Candidate]:
    """Return the shortest, ... and the longest samples, where they differ in length."""
    lengths = _lengths_of(context.batch)
    parts = torch.linspace(0, 1, LENGTHS + 1, dtype=torch.float64)[1:-1]
    ends = lengths.double().quantile(parts).round().long().unique()
    # Where most are the shortest, the others are a group too.
    longer = lengths[lengths > lengths.min()]
    cuts = ends[ends > lengths.min()].tolist() or longer.unique()[:1].tolist()
    if not cuts:
        return []
    # The first and the last have no ends: other samples may be shorter or longer.
    first, last = (f"at most {cuts[0] - 1} steps long", f"{cuts[-1]} steps or longer")
    groups: list[tuple[str, dict[str, float | str]]] = [
        (first, {"high": cuts[0] - 1}),
        *(
            (f"{low} to {end - 1} steps long", {"low": low, "high": end - 1})
            for low, end in pairwise(cuts)
        ),
        (last, {"low": cuts[-1]}),
    ]
    named = [(told, {"group": LENGTH, **ends}) for told, ends in groups]
    return [_candidate(told, _inside(context, which), which) for told, which in named]


def _columns(context: PatternContext) -> list[Candidate]:
    found = []
    for column, values in context.columns.items():
        groups = groups_of(values, context.index)
        members = members_of_groups(values, context.index, [group for _, group in groups])
        found += [
            _candidate(f"{column} {told}", inside, {"column": column, **group})
            for (told, group), inside in zip(groups, members, strict=True)
        ]
    return found
