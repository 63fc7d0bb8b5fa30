"""What padding costs a network that reads it, against its answers one by one."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import one_hot

from rnnrepair.explanation.padding_cost import padding_cost
from rnnrepair.sequences import SequenceBatch

N, T = 60, 9


def case(reads):
    """Series whose class is the sign of all their steps, padded with 0, and who reads them."""
    lengths = 3 + torch.arange(N) % 5
    label = torch.arange(N) // 7 % 2
    inputs = torch.where(torch.arange(T) < lengths[:, None], 2.0 * label[:, None] - 1, 0)

    def fetch(asked):
        return SequenceBatch(asked, inputs[asked][..., None], lengths[asked], label[asked])

    def logits(batch):
        return one_hot((reads(batch.inputs[..., 0]) > 0).long(), 2).float()

    index = torch.arange(N)
    correct = logits(fetch(index)).argmax(1) == label
    network = SimpleNamespace(logits=logits)
    return network, SimpleNamespace(fetch=fetch), Answered(index=index, correct=correct)


class Answered(SimpleNamespace):
    """What traces say of answers."""

    def __len__(self):
        return len(self.index)


@pytest.mark.parametrize(
    ("reads", "costs"), [(lambda x: x[:, -1], True), (lambda x: x.sum(1), False)]
)
def test_the_share_that_is_right_without_padding_is_that_of_each_alone(reads, costs):
    network, data, traces = case(reads)
    told, found = padding_cost(network, data, traces, "test")
    assert found == costs
    here = float(traces.correct.double().mean())
    assert (here < 0.6) == costs
    assert told.startswith(f"Of {N} sequences of test {here:.1%} are right as they are padded")
    assert "100.0% without padding" in told
    assert ("why some fail" in told) == costs
