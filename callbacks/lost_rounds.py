"""Takes rounds back that have done harm."""

from typing import TYPE_CHECKING

import pytorch_lightning as pl

from rnnrepair.callbacks.analysis import log
from rnnrepair.callbacks.trace_collector import repairable_data
from rnnrepair.repair import lost_by_mending, lost_by_patterns, rounds_held, taken_back
from rnnrepair.scores import Scored

if TYPE_CHECKING:
    from rnnrepair.callbacks.repair_injection import RepairInjection


def take_back_lost(
    trainer: pl.Trainer, injection: "RepairInjection", val: Scored, epoch: int
) -> bool:
    """Undo rounds in data and ledger where val fell over them; return whether any was.

    Args:
        trainer: of the data.
        injection: whose rounds they are; its patterns are given up where they are to blame.
        val: what the network scores now.
        epoch: completed ones.
    """
    campaign, ledger, strategy = injection.campaign, injection.ledger, injection.strategy
    mending = lost_by_mending(campaign, ledger, val)
    patterns = lost_by_patterns(campaign, strategy.taught_in, val)
    lost = [number for number in (mending, patterns) if number is not None]
    if not lost:
        return False
    first, last = min(lost), campaign.rounds_made
    undone = [number for number in rounds_held(ledger) if number >= first]
    for _ in undone:
        repairable_data(trainer).take_back()
    strategy.take_back(first)
    if patterns is not None:
        strategy.give_up_patterns()
    # Mends are judged by their own round. Others that are undone with a pattern may be made again.
    innocent = [number for number in undone if number != mending]
    injection.keep_ledger(taken_back(ledger, first, epoch, innocent))
    log.warning(
        "%s taken back: %s on val fell from %.4f to %.4f over %s.",
        f"Round {last} is" if first == last else f"Rounds {first} to {last} are",
        injection.monitor.value,
        campaign.val[first - 1].value,
        val.value,
        "it" if first == last else "them",
    )
    return True
