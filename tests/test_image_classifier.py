"""A convolutional network through the eyes of the chain."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from rnnrepair.errors import ConfigurationError
from rnnrepair.models import ImageClassifier
from rnnrepair.network import TracedNetwork, evaluating
from rnnrepair.sequences import DataSpec, SequenceBatch


@pytest.fixture
def batch():
    g = torch.Generator().manual_seed(0)
    images = torch.rand(6, 28, 28, generator=g)
    return SequenceBatch(
        torch.arange(6) + 50, images, torch.full((6,), 28), torch.tensor([0, 1, 2, 3, 4, 5])
    )


def test_flat_view_is_one_step_of_all_activations(batch):
    network = ImageClassifier()
    traced = TracedNetwork.of(network, DataSpec("image", 28, 10))
    traced.verify(batch)
    (seen,) = traced.steps([batch])
    with evaluating(network):
        expected = network.second(network.first(batch.inputs[:, None])).flatten(1)
    assert seen.lengths.tolist() == [1] * 6
    assert seen.token is None
    torch.testing.assert_close(seen.hidden, expected)
    assert torch.equal(seen.prediction, network(batch).logits.argmax(1))


def test_layers_are_steps_that_stay_apart(batch):
    network = ImageClassifier(channels=(4, 8), hidden_size=16, view="layers")
    output = network.trace(batch)
    assert output.hidden.shape == (6, 3, 4 * 4 + 8 * 4 + 16)
    used = (output.hidden != 0).any(0)
    assert not (used[0] & used[1]).any()
    assert not (used[1] & used[2]).any()
    assert torch.equal(output.step_logits[:, -1], output.logits)


def test_probes_learn_beside_the_network_and_do_not_change_it(batch):
    network = ImageClassifier(channels=(4, 8), hidden_size=16, view="layers")
    network.loss(batch).backward()
    seen = {name: p.grad.clone() for name, p in network.named_parameters()}
    assert all(seen[f"probes.{i}.weight"].any() for i in range(2))
    network.zero_grad()
    cross_entropy(network.logits(batch), batch.label).backward()
    for name, parameter in network.named_parameters():
        if not name.startswith("probes"):
            torch.testing.assert_close(parameter.grad, seen[name])


def test_images_that_do_not_fit_are_refused(batch):
    with pytest.raises(ConfigurationError, match=r"ImageClassifier\.view: .* one of"):
        ImageClassifier(view="pixels")
    with pytest.raises(ConfigurationError, match=r"ImageClassifier\.height: .* at least 10"):
        ImageClassifier(height=8)
    with pytest.raises(ConfigurationError, match="reads images of 20 x 28, got"):
        ImageClassifier(height=20).trace(batch)
