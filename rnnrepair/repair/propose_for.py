"""A round for some of the failures: those whose label, or whose neighbours, are not in doubt."""

from dataclasses import replace

from torch import Tensor

from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.repair.strategy import RepairStrategy


def propose_for(
    strategy: RepairStrategy, context: RepairContext, kept: Tensor, budget: int
) -> Proposal:
    """Let a strategy propose for some failures; the others' share of the budget goes to nobody.

    Args:
        strategy: one that cleans is asked where no failure is kept, too: it mends training samples.
        context: of M failures.
        kept: (k,) int64 rows of those that get samples.
        budget: samples for each of them.

    Returns:
        Its failures are rows of all M.
    """
    some = context.select(kept)
    serves = len(kept) > 0 and len(some.originals) > 0 and bool(strategy.serves(some).any())
    made = Proposal.empty(some)
    if serves or strategy.cleans:
        made = strategy.propose(some, budget)
    withheld = len(context.evidence) - len(kept) + made.withheld
    return replace(made, failure=kept[made.failure], withheld=withheld)
