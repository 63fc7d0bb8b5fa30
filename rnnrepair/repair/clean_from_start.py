"""Trains a new network on data with mended labels."""

from rnnrepair.repair.clean import CleanLabels


class CleanFromStart(CleanLabels):
    """``clean_from_start``: mend the labels once, then train a new network.

    A network that has learnt wrong labels by heart forgets them slowly. The new one is trained as
    ``augment`` and ``all`` train one: on the fit and the repair split, for as many steps at the
    same rates as base and repair take together. Labels are judged by the unrepaired network.

    Source: ours.
    """

    name = "clean_from_start"
    starts_anew = True
