"""What methods have in common that read any network."""

from rnnrepair.influence.need import Need
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import EVERY_KIND, Kind, SequenceBatch


class AnyNetwork:
    """Base of influence methods that read every network.

    A subclass gives ``name`` and ``fit``, and overrides ``fits`` and ``needs`` where it reads some
    data alone, or needs more than the traces.
    """

    fits: frozenset[Kind] = EVERY_KIND
    needs: frozenset[Need] = frozenset()

    def __init__(self, seed: int = 0) -> None:
        """Choose the seed of what is drawn, and of the order of ties."""
        self.seed = seed

    def check(self, network: TracedNetwork, batch: SequenceBatch) -> None:
        """Accept every network."""
