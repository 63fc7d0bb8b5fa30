"""Guided repair of text: failures beside the training samples that made them fail."""

from typing import Annotated

from rnnrepair.edits import IDENTITY
from rnnrepair.influence import Role, found
from rnnrepair.repair.graft import Pick, proposal_of
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.repair.strategy import RepairStrategy
from rnnrepair.sequences import Kind
from rnnrepair.settings import at_least, below, check_settings

# Multiples of it, whole parts aside, are spread evenly, however many are taken.
GOLDEN = (5**0.5 - 1) / 2


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
        """Propose copies of each failure and of its opponents, mixed within each failure."""
        nearest = found(context.evidence.opponents, Role.OPPONENTS).index.tolist()
        failures = context.evidence.failures.index.tolist()
        picks = []
        for row, (failure, samples) in enumerate(zip(failures, nearest, strict=True)):
            opponents = [sample for sample in samples if sample >= 0]
            # Where an opponent is due differs from failure to failure, evenly over any of them that
            # follow each other: whatever a round leaves out, it leaves out as many of either kind.
            begin = row * GOLDEN % 1
            for number in range(budget):
                due = int((number + 1) * self.opponents + begin)
                before = int(number * self.opponents + begin)
                parent = (
                    opponents[before % len(opponents)] if due > before and opponents else failure
                )
                picks.append(Pick(row, parent, IDENTITY))
        return proposal_of(picks, context)
