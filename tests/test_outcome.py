"""Before and after a repair, sample by sample."""

import pytest
import torch

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.network import Predictions
from rnnrepair.repair import Outcome

LABEL = [0, 1, 2, 0, 1, 2]


def predictions(predicted, index=None):
    index = range(10, 10 + len(predicted)) if index is None else index
    return Predictions(torch.tensor([*index]), torch.tensor(LABEL), torch.tensor(predicted))


def test_outcome_counts_repaired_and_broken_apart():
    before = predictions([0, 1, 0, 1, 0, 2])  # rows 2, 3 and 4 fail
    after = predictions([1, 1, 2, 0, 2, 2])  # 2 and 3 are right now, 0 is not
    outcome = Outcome.of(before, after)
    assert outcome == Outcome(0.5, 4 / 6, 3, 2 / 3, 1)
    assert before.n_failures == 3


def test_outcome_has_no_repaired_share_when_nothing_failed():
    outcome = Outcome.of(predictions(LABEL), predictions([1, *LABEL[1:]]))
    assert outcome.repaired_share is None
    assert (outcome.failures_before, outcome.newly_broken) == (0, 1)


def test_outcome_refuses_when_the_samples_differ():
    with pytest.raises(IncompatibleCheckpointError, match="different samples"):
        Outcome.of(predictions(LABEL), predictions(LABEL, [*range(10, 15), 99]))
