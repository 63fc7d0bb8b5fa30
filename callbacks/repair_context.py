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
from rnnrepair.edits import EditFamily
from rnnrepair.influence import Evidence, step_distance
from rnnrepair.repair import Action, LedgerRow, RepairContext, trace_inputs


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
        fetch=data.fetch,
        judge=partial(trace_inputs, collector.network, model),
        distance=step_distance(model, "aligned"),
        edits=edits,
        seed=seed,
        unknown=data.spec.unknown,
        progress=partial(
            tqdm, desc="Judging candidates", leave=False, disable=not collector.progress
        ),
        fit=fit,
        state_counts=model.counts,
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
    mends = sorted((row for row in ledger if row.action != Action.ADD), key=lambda r: r.new_id)
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
