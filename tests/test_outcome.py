"""Before and after a repair, sample by sample."""

import pytest
import torch

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.models import SequenceClassifier
from rnnrepair.repair import Outcome, Predictions, predict
from rnnrepair.traces import evaluating

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


def test_predict_is_the_argmax_of_the_final_logits_when_batched(make_data):
    data = make_data(eval_batch_size=7)
    torch.manual_seed(0)
    network = SequenceClassifier(4, 3, hidden_size=5)
    with evaluating(network):
        found = predict(network.trace, data.trace_dataloader("test"))
        batch = data.fetch(data.split_index("test"))
        expected = network.trace(batch).logits.argmax(1)
    assert torch.equal(found.index, batch.index)
    assert torch.equal(found.label, batch.label)
    assert torch.equal(found.predicted, expected)
    right = sum(int(a == b) for a, b in zip(expected, batch.label, strict=True))
    assert found.accuracy == pytest.approx(right / 30)
