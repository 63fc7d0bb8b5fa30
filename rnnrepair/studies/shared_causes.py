"""Causes that failures share: a pattern, a trigger."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor

from rnnrepair.influence import Cue, SegmentCues, TrainingView
from rnnrepair.influence.method import CHECKED_ON
from rnnrepair.influence.readings import steps_are_inputs
from rnnrepair.patterns import Pattern, PatternContext, find_patterns, teachable_finders
from rnnrepair.protocols import names_of_samples
from rnnrepair.sequences import Names
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.poison_repair import repair_of
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
    own = (fit.index, fit.label)
    return replace(PatternContext.of(run.data, own, traces, run.settings.seed), fit=fit)


def shared_patterns(run: FinishedRun, traces: Traces, fit: Traces) -> list[Pattern]:
    """Return the edits, words and values of columns that failures were found to share."""
    return find_patterns(pattern_context(run, traces, fit), teachable_finders())


def triggers(view: TrainingView, seed: int) -> list[Cue]:
    """Return symbols whose evidence says that they were put into training samples as a trigger.

    None are looked for where nobody knows what the steps of the network read.
    """
    if not steps_are_inputs(view.network, view.fetch(view.traces.index[:CHECKED_ON])):
        return []
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


def trigger_table(run: FinishedRun, fit: Traces, found: Sequence[Cue]) -> pd.DataFrame:
    """Return a row for each training sample that holds a trigger for its label.

    Steps count from 1. Suggested is what the network says of the sample without the steps that hold
    it, where that is another label: relabelled, samples teach it to pass the trigger by, which
    dropped ones do not. Once somebody has written drop or relabel into ``action``, the table is
    what data modules take as ``corrections``.

    Args:
        run: whose training data hold triggers.
        fit: its n training samples, which the rows of the cues are of.
        found: the triggers.
    """
    names, samples = Names.of(run.data.spec), names_of_samples(run.data)
    parts = [
        pd.DataFrame(
            {
                "index": fit.index[cue.row].tolist(),
                "name": samples.of(fit.index[cue.row]),
                "label": names.of_class(cue.label),
                "trigger": cue.name,
                "step": (cue.first + 1).tolist(),
            }
        )
        for cue in found
    ]
    together = pd.concat(parts).groupby("index", sort=True, as_index=False)
    told = together.agg({"name": "first", "label": "first", "trigger": ", ".join, "step": "min"})
    suggested = _without_trigger(run, torch.tensor(told["index"].tolist()), found)
    called = [names.of_class(suggested[i]) if i in suggested else "" for i in told["index"]]
    return told.assign(suggested=called, label_was=told["label"], action="")


def _without_trigger(run: FinishedRun, index: Tensor, found: Sequence[Cue]) -> dict[int, int]:
    """Return by index what the network says of samples without a trigger, where it is another."""
    samples = run.data.fetch(index)
    if samples.static or samples.beside:
        # Nobody knows which part of what stands beside the steps belongs to those taken out.
        return {}
    change = repair_of("relabel", samples, found, run.network)
    return dict(zip(change.relabelled.tolist(), change.new_label.tolist(), strict=True))
