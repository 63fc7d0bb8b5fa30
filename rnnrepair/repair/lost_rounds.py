"""Rounds that have done harm."""

from collections.abc import Sequence

from rnnrepair.repair.campaign import Campaign
from rnnrepair.repair.ledger import LedgerRow, rounds_held
from rnnrepair.repair.strategy import RepairStrategy


def first_lost_round(
    campaign: Campaign,
    ledger: Sequence[LedgerRow],
    strategy: RepairStrategy,
    val_score: float,
    n_val: int,
) -> int | None:
    """Return the first round that is to be taken back, None where val has not fallen.

    A round that has mended samples is judged by itself. Rounds of a pattern teach the same, each a
    little, and their harm adds up: they are judged together.

    Args:
        campaign: knows val before each round.
        ledger: of the rounds.
        strategy: made them.
        val_score: of the network as it is now.
        n_val: val sequences.

    Source: docs/method.md 6.8.
    """
    held, last = rounds_held(ledger), campaign.rounds_made
    mended = any(row.holds and not row.injected and row.round == last for row in ledger)
    if mended and campaign.lost(val_score, n_val, last):
        return last
    teaches = len(strategy.given_up) < len(strategy.patterns)
    return held[0] if teaches and held and campaign.lost(val_score, n_val, held[0]) else None
