"""What whoever knows a pattern does: a new network that is taught it from the first epoch on."""

from collections.abc import Sequence

from rnnrepair.patterns import Finder
from rnnrepair.repair.controls import NoRepair
from rnnrepair.repair.pattern import PatternRepair


class PatternFromStart(PatternRepair):
    """``pattern_from_start``: find patterns, then train a new network that knows them.

    It is trained as ``augment`` and ``all`` train one: on the fit and the repair split, for as many
    steps at the same rates as base and repair take together. From the first epoch on, up to half of
    its samples have the patterns; training samples of words and columns are seen up to ten times as
    often as others. Where no pattern is found, it is training on all the data alone: ``all``, or
    ``augment``.

    Source: ours.
    """

    name = "pattern_from_start"
    starts_anew = True
    most_often = 10

    def __init__(self, finders: Sequence[Finder] | None = None, augments: bool = False) -> None:
        """Choose who finds patterns, see ``PatternRepair``, and how all else is trained.

        Args:
            finders: of the patterns.
            augments: whether augmentation draws the repair's edits, as that of ``augment`` does.
                With edits of every kind (``SweptEdits``) the network is prepared for what is not
                found too.
        """
        super().__init__(finders=finders, rest=NoRepair())
        self.augments = augments
