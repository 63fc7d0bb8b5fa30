"""What the page shows of what failures have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.protocols import Split
from rnnrepair.record import FoundPattern, PatternErrors
from rnnrepair.report.card_view import Sample
from rnnrepair.report.cards import ShownData, fetched
from rnnrepair.report.colours import class_colours
from rnnrepair.report.sample_figures import sample_figures
from rnnrepair.report.taught import taught_inputs
from rnnrepair.sequences import Names, SampleNames

# Failures and training samples shown of a pattern, at most.
SHOWN = 12


@dataclass(frozen=True)
class PatternView:
    """A pattern as ``repair.html.jinja`` shows it.

    Attributes:
        description: what the failures have in common.
        size: failures.
        error_inside: share of the samples with it that failed when it was found.
        error_outside: the same of all others.
        p: that chance is as good.
        injected: samples that were made for it.
        splits: what became of the samples that have it.
        failures: the first of its failures.
        samples: training samples nearest to it.
        taught: those near to the edit that was taught, with it; none where no edit explains it.
        also: what else most of its failures have in common.
        within: see ``Pattern``.
    """

    description: str
    size: int
    error_inside: float
    error_outside: float
    p: float
    injected: int
    splits: Mapping[Split, PatternErrors]
    failures: tuple[Sample, ...]
    samples: tuple[Sample, ...]
    taught: tuple[Sample, ...]
    also: tuple[str, ...]
    within: str


def pattern_views(
    patterns: Sequence[FoundPattern], data: ShownData, names: Names, samples: SampleNames
) -> list[PatternView]:
    """Fetch failures and training samples of patterns, and prepare them for the page."""
    return [
        PatternView(
            description=pattern.description,
            size=len(pattern.failures),
            error_inside=pattern.error_inside,
            error_outside=pattern.error_outside,
            p=pattern.p,
            injected=pattern.injected,
            splits=pattern.splits,
            failures=_shown(pattern.failures, data, names, samples, "failure with the pattern"),
            samples=_shown(pattern.samples, data, names, samples, "training sample near to it"),
            taught=_taught(pattern, data, names, samples),
            also=tuple(trait.description for trait in pattern.also),
            within=pattern.within,
        )
        for pattern in patterns
    ]


def _shown(
    index: Sequence[int], data: ShownData, names: Names, samples: SampleNames, described: str
) -> tuple[Sample, ...]:
    return _samples(fetched(data, list(index[:SHOWN])), index, data, names, samples, described)


def _taught(
    pattern: FoundPattern, data: ShownData, names: Names, samples: SampleNames
) -> tuple[Sample, ...]:
    inputs = taught_inputs(pattern, data, SHOWN)
    own = pattern.taught.samples
    return _samples(inputs, own, data, names, samples, "training sample with the edit")


def _samples(
    inputs: list[Tensor],
    index: Sequence[int],
    data: ShownData,
    names: Names,
    samples: SampleNames,
    described: str,
) -> tuple[Sample, ...]:
    """Return the first samples, with these inputs."""
    if not inputs:
        return ()
    chosen = torch.tensor(list(index[: len(inputs)]))
    label = data.fetch(chosen).label.tolist()
    colours = class_colours(label)
    figures = sample_figures(inputs, data, names, described)
    called = samples.numbered(chosen)
    return tuple(
        Sample(figure, names.of_class(c), colours[c], caption)
        for figure, c, caption in zip(figures, label, called, strict=True)
    )
