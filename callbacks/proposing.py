"""What a strategy proposes in a round, given all that it asks for."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytorch_lightning as pl
import torch

from rnnrepair.callbacks.analysis import log
from rnnrepair.callbacks.label_or_task import teachers_of
from rnnrepair.callbacks.repair_context import (
    repair_context,
    with_labels_judged,
    with_patterns_sought,
)
from rnnrepair.callbacks.trace_collector import repairable_data
from rnnrepair.influence import Evidence
from rnnrepair.protocols import phrases_of
from rnnrepair.repair import Proposal, propose_for

if TYPE_CHECKING:
    from rnnrepair.callbacks.repair_injection import RepairInjection


def proposed(
    trainer: pl.Trainer, injection: "RepairInjection", evidence: Evidence, wanted: int, seed: int
) -> Proposal:
    """Return the samples and mends of a round; none for failures that all teachers fail at.

    What all fail at because nobody has taught it gets samples: the failures of a pattern. None are
    made for failures with words that no training text holds, see ``repair_checks``.

    Args:
        trainer: with the callbacks of the chain.
        injection: whose round it is.
        evidence: of the failures.
        wanted: samples.
        seed: of the round.
    """
    strategy = injection.strategy
    context = repair_context(trainer, injection, evidence, injection.edits, seed)
    context = replace(context, round=injection.campaign.rounds_made, room=wanted)
    if strategy.reads_phrases:
        context = replace(context, phrases=phrases_of(repairable_data(trainer)))
    if strategy.cleans:
        context = with_labels_judged(trainer, injection, context, injection.ledger)
    if strategy.seeks_patterns:
        context = with_patterns_sought(trainer, injection, context, injection.seed)
    n_found, given_up = len(strategy.patterns), {p.description for p in strategy.given_up}
    served = int(strategy.serves(context).sum())
    # What cleans has something to mend, for whom samples can be made or not.
    if served == 0 and not strategy.cleans:
        return Proposal.empty(context)
    per_failure = -(-wanted // max(served, 1))
    withheld = torch.zeros(len(evidence), dtype=torch.bool)
    for teachers in teachers_of(trainer):
        withheld |= teachers.fail_at(evidence.failures.index) & ~strategy.explains(context)
    if strategy.injects:
        withheld |= _alone_with_unknown(trainer, evidence)
    kept = (~withheld).nonzero()[:, 0]
    proposal = propose_for(strategy, context, kept, per_failure).limited(wanted)
    for pattern in strategy.patterns[n_found:]:
        log.info("Found: %s.", pattern.name)
    for pattern in strategy.given_up:
        if pattern.description not in given_up:
            log.warning("Taught no more, for as many fail as at first: %s.", pattern.name)
    return proposal


def _alone_with_unknown(trainer: pl.Trainer, evidence: Evidence) -> torch.Tensor:
    """Return (M,) bool: failures with unknown words, where no training text holds any.

    Samples made of them would be all that the vector of unknown words is trained on.
    """
    data = repairable_data(trainer)
    unknown = data.spec.unknown
    if unknown is None or data.trains_unknown():
        return torch.zeros(len(evidence), dtype=torch.bool)
    holds = torch.eq(data.fetch(evidence.failures.index).inputs, unknown).any(1)
    if bool(holds.any()):
        log.warning(
            "%d of %d failures hold words that no training text holds, and get no samples: these "
            "alone would train the vector of unknown words. A larger min_count avoids that.",
            int(holds.sum()),
            len(holds),
        )
    return holds


def tell_shortage(injection: "RepairInjection", proposal: Proposal, wanted: int) -> None:
    """Warn where a strategy that spends its budget has not found enough samples for it."""
    strategy = injection.strategy
    spends = strategy.injects and not strategy.saves
    if spends and len(proposal) < wanted and not proposal.withheld:
        log.warning(
            "Strategy %s found %d of %d samples, original samples are drawn in place of the "
            "others: lower budget, or give the strategy more to choose from (its settings, "
            "and top of InfluenceAnalysis).",
            injection.called,
            len(proposal),
            wanted,
        )


def told_of(proposal: Proposal) -> str:
    """Return what is known of the samples of a round, for the log."""
    told = ""
    if proposal.judged:
        n = int(proposal.reproduces.sum())
        told = f", {n} of them reproduce the fault ({proposal.judged} judged)"
    if bool((proposal.context >= 0).any()):
        n = int((proposal.context == 0).sum())
        told += f", {n} of them without a context in common with their failure: not guided"
    if proposal.mends:
        told += f"; {len(proposal.mends)} samples with suspect labels mended"
    if proposal.withheld:
        told += f"; {proposal.withheld} failures get no samples"
    return told
