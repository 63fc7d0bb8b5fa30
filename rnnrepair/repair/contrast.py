"""Guided repair of text: failures beside the training samples that made them fail."""

from typing import Annotated

from rnnrepair.edits import IDENTITY
from rnnrepair.influence import Role, found
from rnnrepair.repair.graft import Pick, proposal_of
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.repair.strategy import RepairStrategy
from rnnrepair.sequences import Kind
from rnnrepair.settings import at_least, below, check_settings


class ContrastRepair(RepairStrategy):
    """``contrast`` (``guided`` in configs): a failure beside what its wrong label comes from.

    A failure is taken for the wrong label because the network treats it like certain training
    samples of that label. Trained on copies of the failure alone, the network unlearns those
    samples too. So each failure is injected together with them: the copies say what is to change,
    the samples of the predicted label that come nearest to it say what is not.

    Source: ours; the student report names a contrast of the two labels as future work.
    """

    name = "contrast"
    fits = frozenset({Kind.TOKENS})
    needs = frozenset({Role.OPPONENTS})

    def __init__(self, opponents: Annotated[float, at_least(0), below(1)] = 0.5) -> None:
        """Choose the mixture.

        Args:
            opponents: share of the samples that are influential training samples of the predicted
                label; the others are copies of the failure.

        Raises:
            SettingsError: the share is out of range.
        """
        check_settings(ContrastRepair, locals())
        self.opponents = opponents

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Propose copies of each failure and of its opponents, evenly mixed."""
        nearest = found(context.evidence.opponents, Role.OPPONENTS).index.tolist()
        failures = context.evidence.failures.index.tolist()
        known = [[sample for sample in row if sample >= 0] for row in nearest]
        used = [0] * len(failures)
        picks: list[list[Pick]] = [[] for _ in failures]
        # The share is kept over the first samples of all failures, then over the second ones, and
        # so on: whatever the budget, and however many a round leaves out in the end.
        for turn in range(budget * len(failures)):
            row = turn % len(failures)
            owed = int((turn + 1) * self.opponents) > int(turn * self.opponents)
            parent = failures[row]
            if owed and known[row]:
                parent = known[row][used[row] % len(known[row])]
                used[row] += 1
            picks[row].append(Pick(row, parent, IDENTITY))
        return proposal_of([pick for own in picks for pick in own], context)
