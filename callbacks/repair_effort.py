"""What a repair has spent: samples, steps, rounds, seconds."""

from collections import Counter

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from rnnrepair.callbacks.analysis import upstream
from rnnrepair.callbacks.epoch_timer import EpochTimer
from rnnrepair.callbacks.influence_analysis import InfluenceAnalysis
from rnnrepair.callbacks.label_or_task import teachers_of
from rnnrepair.callbacks.repair_injection import RepairInjection
from rnnrepair.callbacks.state_abstraction import StateAbstraction
from rnnrepair.callbacks.trace_collector import TraceCollector
from rnnrepair.record import Cleaned, Effort, Seconds
from rnnrepair.repair import Action


def effort_of(trainer: pl.Trainer, injection: RepairInjection) -> Effort:
    """Return the samples, steps and rounds of the repair of a trainer."""
    return Effort(
        injected=injection.n_injected,
        without_context=sum(row.context == 0 and row.injected for row in injection.ledger),
        # Of the network that is reported: one trained anew owes nothing to the base.
        steps=trainer.global_step - (injection.anew_step or 0),
        budget=injection.campaign.budget,
        judged=injection.judged,
        rounds=injection.campaign.rounds_made,
        stop_reason=injection.campaign.stop_reason,
        cleaned=_cleaned(injection),
        **_label_or_task(trainer),
    )


def seconds_of(trainer: pl.Trainer, reader: Callback, total: float) -> Seconds:
    """Return where the time went.

    Args:
        trainer: with the callbacks of the chain.
        reader: that asks.
        total: everything, sittings before a resume included.
    """
    timers = [c for c in trainer.callbacks if isinstance(c, EpochTimer)]  # type: ignore[attr-defined]
    return Seconds(
        fit=sum(timers[0].epoch_seconds) if timers else 0.0,
        collect=upstream(trainer, TraceCollector, reader).seconds,
        abstract=upstream(trainer, StateAbstraction, reader).seconds,
        influence=upstream(trainer, InfluenceAnalysis, reader).seconds,
        generate=upstream(trainer, RepairInjection, reader).seconds,
        total=total,
        epoch=timers[0].mean_epoch_s if timers else None,
    )


def _cleaned(injection: RepairInjection) -> Cleaned | None:
    if not injection.strategy.cleans:
        return None
    actions = Counter(row.action for row in injection.ledger if row.holds)
    return Cleaned(
        removed=actions[Action.REMOVE],
        relabelled=actions[Action.RELABEL],
        reweighted=actions[Action.REWEIGHT],
        taken_back=sum(not row.holds for row in injection.ledger),
        withheld=injection.withheld,
        estimated_wrong=injection.estimated_wrong,
    )


def _label_or_task(trainer: pl.Trainer) -> dict[str, int]:
    """Return how many teachers were asked, and at how many failures all fail; nothing if nobody."""
    for teachers in teachers_of(trainer):
        if teachers.n_found is not None:
            return {"teachers": teachers.n_teachers, "label_or_task": teachers.n_found}
    return {}
