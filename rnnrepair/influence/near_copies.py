"""Which texts are nearly the same, word by word."""

import torch
from torch import Tensor

from rnnrepair.influence.view import TrainingView
from rnnrepair.sequences import nearly_equal
from rnnrepair.traces import Traces

# Pairs of texts compared at a time: a row of their table takes 2 MB for texts of 500 words.
PAIRS = 500


def nearly_same(view: TrainingView, failures: Traces, row: Tensor, share: float) -> Tensor:
    """Return (M, n) bool: training texts that differ from a failure in few of their words.

    Texts of the same words in another order are near by their counts, and are others: where there
    are few different words (the bases of DNA, kinds of events) nearly all texts are near.

    Args:
        view: of the training texts.
        failures: traces of M texts.
        row: (M, n) rows of the training texts that are asked about, -1 for none.
        share: of the words of the longer one, so many at most.
    """
    same = torch.zeros(row.shape, dtype=torch.bool)
    for asked in (row >= 0).nonzero().split(PAIRS):
        failure, place = asked.T
        here = view.fetch(failures.index[failure]).without_front()
        there = view.fetch(view.traces.index[row[failure, place]]).without_front()
        at_most = (share * torch.maximum(here.lengths, there.lengths)).long()
        texts = here.inputs, here.lengths, there.inputs, there.lengths
        same[failure, place] = nearly_equal(*texts, at_most)
    return same
