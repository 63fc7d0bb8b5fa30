"""Trains a new network, which is taught the patterns that were found from its first epoch on."""

from collections.abc import Sequence

from typing_extensions import override

from rnnrepair.edits import EditFamily, SweptEdits
from rnnrepair.patterns import Finder
from rnnrepair.repair.controls import NoRepair
from rnnrepair.repair.pattern import PatternRepair
from rnnrepair.sequences import DataSpec


class PatternFromStart(PatternRepair):
    """``pattern_from_start``, ``pattern_augments``: train a new network that knows the patterns.

    It is trained as ``augment`` and ``all`` train one: on the fit and the repair split, for as many
    steps at the same rates as base and repair take together. From the first epoch on, up to half of
    its samples have the patterns; training samples of words and columns are seen up to ten times as
    often as others. Where no pattern is found, it is training on all the data alone: ``all``, or
    ``augment``. ``pattern_augments`` draws edits of every kind that the search tries, too: the
    network is prepared for what is not found.

    Source: ours.
    """

    name = "pattern_from_start"
    starts_anew = True
    most_often = 10

    def __init__(self, finders: Sequence[Finder] | None = None, every: bool = False) -> None:
        """Choose who finds patterns, see ``PatternRepair``, and how all else is trained.

        Args:
            finders: of the patterns.
            every: whether half of the edits that augmentation draws are of a kind that searches
                try (``SweptEdits``), the others the repair's: images and series alone.
        """
        super().__init__(finders=finders, rest=NoRepair())
        self.every = every
        if every:
            self.name, self.augments, self.fits = "pattern_augments", True, SweptEdits.kinds_of_data

    @property
    @override
    def done_without(self) -> str:
        augmented = "augmented with every kind of edit" if self.every else "as by augment or all"
        return f"the new network was trained on all the data, {augmented}"

    @override
    def training_edits(self, edits: EditFamily | None, spec: DataSpec) -> EditFamily | None:
        if not self.every or edits is None:
            return super().training_edits(edits, spec)
        return edits if isinstance(edits, SweptEdits) else SweptEdits(edits)
