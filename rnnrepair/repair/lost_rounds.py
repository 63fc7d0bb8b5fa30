"""Rounds that have done harm. Source: docs/method.md 6.8."""

from collections.abc import Collection, Sequence

from rnnrepair.repair.campaign import Campaign
from rnnrepair.repair.ledger import LedgerRow
from rnnrepair.scores import Scored


def lost_by_mending(campaign: Campaign, ledger: Sequence[LedgerRow], val: Scored) -> int | None:
    """Return the last round where it has mended samples and val fell over it, else None.

    Args:
        campaign: knows val before each round.
        ledger: of the rounds.
        val: what the network scores now.
    """
    last = campaign.rounds_made
    mended = any(row.holds and not row.injected and row.round == last for row in ledger)
    return last if mended and campaign.lost(val, last) else None


def lost_by_patterns(campaign: Campaign, taught_in: Collection[int], val: Scored) -> int | None:
    """Return the first round that taught a pattern where val fell since it, else None.

    Rounds of a pattern teach the same, each a little, and their harm adds up.

    Args:
        campaign: see ``lost_by_mending``.
        taught_in: numbers of the rounds that taught patterns, and that hold.
        val: what the network scores now.
    """
    first = min(taught_in, default=None)
    return first if first is not None and campaign.lost(val, first) else None
