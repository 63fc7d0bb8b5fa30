"""Failures that the data themselves put into one group."""

from collections.abc import Iterator

import torch
from torch import Tensor

from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.pattern import Candidate
from rnnrepair.sequences import Names

# Parts of about equal size that lengths are cut into.
LENGTHS = 4
# Training samples that are told of a pattern.
SAMPLES = 500


class GroupPatterns:
    """Failures of one class, of like length, or of one value of the user's own columns.

    Source: ours.
    """

    name = "group"

    def candidates(self, context: PatternContext, difficulty: Tensor) -> list[Candidate]:
        """Return the samples of every group, with the training samples that belong to it."""
        del difficulty
        return [*_classes(context), *_lengths(context), *_columns(context)]

    def refined(
        self, context: PatternContext, candidate: Candidate, difficulty: Tensor
    ) -> Candidate:
        """Return the group as it is."""
        del context, difficulty
        return candidate


def _classes(context: PatternContext) -> Iterator[Candidate]:
    names = Names.of(context.spec)
    for label in context.label.unique().tolist():
        own = context.originals[context.original_label == label]
        name = names.of_class(label)
        parameters: dict[str, float | str] = {"column": "class", "value": name}
        yield Candidate(
            *("group", f"class {name}", context.label == label, parameters, own[:SAMPLES])
        )


def _lengths(context: PatternContext) -> Iterator[Candidate]:
    """Return the shortest, ... and the longest samples, where they differ in length."""
    lengths = context.batch.lengths
    parts = torch.linspace(0, 1, LENGTHS + 1, dtype=torch.float64)
    edges = lengths.double().quantile(parts).round().long().unique().tolist()
    if len(edges) < 2:
        return
    chosen = context.originals[: SAMPLES * LENGTHS]
    training = context.fetch(chosen).lengths
    for low, high in zip(edges, [*edges[1:-1], edges[-1] + 1], strict=False):
        inside, own = (lengths >= low) & (lengths < high), (training >= low) & (training < high)
        parameters: dict[str, float | str] = {"column": "length", "low": low, "high": high - 1}
        told = f"{low} to {high - 1} steps long"
        yield Candidate("group", told, inside, parameters, chosen[own][:SAMPLES])


def _columns(context: PatternContext) -> Iterator[Candidate]:
    for column, values in context.columns.items():
        own = [values[i] for i in context.index.tolist()]
        training = [values[i] for i in context.originals.tolist()]
        for value in sorted(set(own)):
            inside = torch.tensor([v == value for v in own])
            samples = context.originals[torch.tensor([v == value for v in training])]
            parameters: dict[str, float | str] = {"column": column, "value": value}
            yield Candidate("group", f"{column} {value}", inside, parameters, samples[:SAMPLES])
