"""Rounds that have done harm. Source: docs/method.md 6.8."""

from collections.abc import Collection, Sequence

from rnnrepair.repair.campaign import Campaign
from rnnrepair.repair.ledger import LedgerRow


def lost_by_mending(
    campaign: Campaign, ledger: Sequence[LedgerRow], val_score: float, n_val: int
) -> int | None:
    """Return the last round where it has mended samples and val fell over it, else None.

    Args:
        campaign: knows val before each round.
        ledger: of the rounds.
        val_score: of the network as it is now.
        n_val: val sequences.
    """
    last = campaign.rounds_made
    mended = any(row.holds and not row.injected and row.round == last for row in ledger)
    return last if mended and campaign.lost(val_score, n_val, last) else None


def lost_by_patterns(
    campaign: Campaign, taught_in: Collection[int], val_score: float, n_val: int
) -> int | None:
    """Return the first round that taught a pattern where val fell since it, else None.

    Rounds of a pattern teach the same, each a little, and their harm adds up.

    Args:
        campaign: see ``lost_by_mending``, as the next but one.
        taught_in: numbers of the rounds that taught patterns, and that hold.
        val_score: see ``lost_by_mending``, as the next.
        n_val: val sequences.
    """
    first = min(taught_in, default=None)
    return first if first is not None and campaign.lost(val_score, n_val, first) else None
