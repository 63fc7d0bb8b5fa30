"""Causes that failures share: a pattern, a trigger."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rnnrepair.influence import Cue, SegmentCues, TrainingView
from rnnrepair.patterns import (
    EditPatterns,
    Finder,
    GroupPatterns,
    Pattern,
    PatternContext,
    WordPatterns,
    find_patterns,
)
from rnnrepair.protocols import columns_of_samples
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.traces import Traces

# Triggers that are looked for, at most.
MOST_TRIGGERS = 10


def pattern_context(run: FinishedRun, traces: Traces, fit: Traces) -> PatternContext:
    """Return what a search for patterns is given.

    Args:
        run: whose network fails.
        traces: of the samples that are looked through, right ones too.
        fit: of the training samples.
    """
    return PatternContext(
        spec=run.data.spec,
        fetch=run.data.fetch,
        originals=fit.index,
        original_label=fit.label,
        index=traces.index,
        label=traces.label,
        failed=~traces.correct,
        seed=run.settings.seed,
        traces=traces,
        fit=fit,
        columns=columns_of_samples(run.data),
    )


def shared_patterns(run: FinishedRun, traces: Traces, fit: Traces) -> list[Pattern]:
    """Return the edits, words and values of columns that failures were found to share."""
    finders: list[Finder] = [EditPatterns(), WordPatterns(), GroupPatterns(columns_only=True)]
    return find_patterns(pattern_context(run, traces, fit), finders)


def triggers(view: TrainingView, seed: int) -> list[Cue]:
    """Return symbols whose evidence says that they were put into training samples as a trigger."""
    found = SegmentCues(seed).fit(view).cues(MOST_TRIGGERS)
    return [cue for cue in found if cue.is_trigger]


def reads_trigger(run: FinishedRun, failures: Traces, found: Sequence[Cue]) -> Tensor:
    """Return (M,) bool: failures that hold a trigger for the class that they are taken for."""
    reads = torch.zeros(len(failures), dtype=torch.bool)
    if found:
        batch = run.data.fetch(failures.index)
        for cue in found:
            taken = failures.final_prediction == cue.label
            reads |= cue.read_in(batch).any(1) & taken & (failures.label != cue.label)
    return reads
