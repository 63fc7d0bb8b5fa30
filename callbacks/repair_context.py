"""What a round of repair knows, put together from the callbacks before it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback
from tqdm import tqdm

from rnnrepair.callbacks.analysis import upstream
from rnnrepair.callbacks.influence_analysis import InfluenceAnalysis
from rnnrepair.callbacks.state_abstraction import StateAbstraction
from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data
from rnnrepair.edits import EditFamily, fitted
from rnnrepair.influence import Evidence
from rnnrepair.network import logits_of, margin_of
from rnnrepair.patterns import PatternContext
from rnnrepair.protocols import columns_of_samples
from rnnrepair.repair import LedgerRow, RepairContext, Sought, trace_inputs


def repair_context(
    trainer: pl.Trainer, reader: Callback, evidence: Evidence, edits: EditFamily | None, seed: int
) -> RepairContext:
    """Return what a strategy may look at.

    Args:
        trainer: with the callbacks of the chain.
        reader: that asks.
        evidence: of the failures.
        edits: that samples may be given.
        seed: of the round.
    """
    collector = upstream(trainer, TraceCollector, reader)
    abstraction = upstream(trainer, StateAbstraction, reader).abstraction
    model, fit = abstraction.model, abstraction.traces["fit"]
    data = repairable_data(trainer)
    originals = data.indices("fit")
    return RepairContext(
        evidence=evidence,
        originals=originals,
        # Traces are in ascending order of index, as the split is; injected samples follow.
        original_label=fit.label[: len(originals)],
        original_correct=fit.correct[: len(originals)],
        repair=data.indices("repair"),
        fetch=data.fetch,
        judge=partial(trace_inputs, collector.network, model),
        edits=None if edits is None else fitted(edits, data.spec),
        seed=seed,
        unknown=data.spec.unknown,
        token_names=data.spec.token_names,
        progress=partial(
            tqdm, desc="Judging candidates", leave=False, disable=not collector.progress
        ),
        fit=fit,
        state_counts=model.counts,
        columns=columns_of_samples(data),
    )


def with_labels_judged(
    trainer: pl.Trainer, reader: Callback, context: RepairContext, ledger: Sequence[LedgerRow]
) -> RepairContext:
    """Add what cleaning needs to know: of labels, and of what was mended before.

    Args:
        trainer: with the callbacks of the chain.
        reader: that asks.
        context: of the round.
        ledger: of the rounds before.
    """
    source = upstream(trainer, InfluenceAnalysis, reader)
    mends = sorted((row for row in ledger if row.settled), key=lambda r: r.new_id)
    index = torch.tensor([row.new_id for row in mends], dtype=torch.int64)
    was = torch.tensor([row.was for row in mends], dtype=torch.int64)
    holds = torch.tensor([row.holds for row in mends], dtype=torch.bool)
    holds &= torch.isin(index, context.originals)
    return replace(
        context,
        suspicion=source.suspicion(),
        doubt=source.doubt(trainer),
        settled=index,
        mended=index[holds],
        mended_label=was[holds],
    )


def with_patterns_sought(
    trainer: pl.Trainer, reader: Callback, context: RepairContext, seed: int
) -> RepairContext:
    """Add the samples that patterns are looked for in: the repair split, right ones too.

    Args:
        trainer: with the callbacks of the chain.
        reader: that asks.
        context: of the round.
        seed: of the run, not of the round: whoever asks later which samples have a pattern
            compares them with the same edits.
    """
    collector = upstream(trainer, TraceCollector, reader)
    traces = upstream(trainer, StateAbstraction, reader).abstraction.traces
    data, repair = repairable_data(trainer), traces["repair"]
    own = (context.originals, context.original_label)
    samples = replace(PatternContext.of(data, own, repair, seed), fit=traces["fit"])
    logits = logits_of(collector.network, data.fetch, repair.index)
    return replace(context, sought=Sought(samples, margin_of(logits, repair.label)))
