"""Reading a network leaves it as it was, and does not take what it keeps for what it answers."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.network import TracedNetwork, evaluating
from rnnrepair.network.snapshot import unchanged
from rnnrepair.sequences import DataSpec
from tests.network_forms import Base, C, F, H, series


def read(module, batch=None):
    network = TracedNetwork.of(module, DataSpec("series", F, C))
    network.verify(series(ragged=False) if batch is None else batch)
    return network


class Last(Base):
    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])


class Keeps(Last):
    """Keeps all kinds of things while it runs."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))
        self.register_buffer("mean", torch.zeros(H))
        self.calls, self.history, self.last = 0, [], None
        self.counts = {"rows": torch.zeros(1)}
        self.pair = (torch.zeros(2), 3)

    def forward(self, x):
        out = self.rnn(x)[0][:, -1]
        self.calls += 1
        self.history.append(out)
        self.last = self.new = out
        self.seen += len(x)
        self.mean = out.mean(0)
        self.counts["rows"] += len(x)
        self.pair[0].add_(1)
        with torch.no_grad():
            self.fc.weight.data.clamp_(-1, 1)
        return self.fc(out)

    def training_step(self, batch, batch_idx):
        self.calls = 1000
        return self(batch.inputs)


def test_what_a_module_keeps_while_it_runs_is_as_before():
    torch.manual_seed(0)
    module, batch = Keeps(), series(ragged=False)
    module.fc.weight.data.mul_(10)
    weight, history, mean = module.fc.weight.clone(), module.history, module.mean
    network = read(module)
    list(network.steps([batch, batch]))
    network.predict([batch])
    assert torch.equal(module.fc.weight, weight)
    assert (module.calls, module.last, module.pair[1]) == (0, None, 3)
    assert module.history is history
    assert history == []
    assert module.mean is mean
    for tensor in (mean, module.seen, module.counts["rows"], module.pair[0]):
        assert not tensor.any()
    assert not hasattr(module, "new")
    assert set(module._buffers) == {"seen", "mean"}


class Renormed(nn.Module):
    """An embedding that writes to its weights when it is read."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, F, max_norm=0.5)
        self.rnn, self.fc = nn.GRU(F, H, batch_first=True), nn.Linear(H, C)

    def forward(self, tokens):
        return self.fc(self.rnn(self.embedding(tokens))[0][:, -1])


def test_weights_that_a_call_writes_to_are_as_before():
    torch.manual_seed(0)
    module, batch = Renormed(), series(ragged=False)
    batch.inputs = torch.randint(20, batch.inputs.shape[:2])
    before = module.embedding.weight.clone()
    network = TracedNetwork.of(module, DataSpec("tokens", 1, C))
    network.verify(batch)
    found = network.predict([batch]).logits
    list(network.steps([batch]))
    assert torch.equal(module.embedding.weight, before)
    with torch.no_grad():
        torch.testing.assert_close(found, module.eval()(batch.inputs))


class OwnTrain(Last):
    """Turning its mode changes more than modes; its norm never leaves training."""

    def __init__(self):
        super().__init__()
        self.norm, self.turned = nn.BatchNorm1d(F), 0

    def train(self, mode=True):
        super().train(mode)
        self.turned += 1
        self.fc.weight.requires_grad_(mode)
        return self

    def forward(self, x):
        return super().forward(self.norm(x.transpose(1, 2)).transpose(1, 2))

    def training_step(self, batch, batch_idx):
        self.norm(batch.inputs.transpose(1, 2))  # runs to its end
        return self(batch.inputs)


def test_a_train_of_its_own_and_statistics_are_as_before():
    torch.manual_seed(0)
    module = OwnTrain().train()
    module.norm.train()
    turned = module.turned
    read(module)
    assert module.turned == turned
    assert module.norm.training
    assert module.fc.weight.requires_grad
    assert module.norm.num_batches_tracked == 0
    assert not module.norm.running_mean.any()


class AlwaysTraining(OwnTrain):
    def train(self, mode=True):
        super().train(mode)
        self.norm.train()
        return self


class WithoutStatistics(OwnTrain):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(F, track_running_stats=False)


@pytest.mark.parametrize(("ragged", "reason"), [(False, "other sequences"), (True, "one sequence")])
@pytest.mark.parametrize("kind", [AlwaysTraining, WithoutStatistics])
def test_statistics_of_the_batch_are_no_padding(kind, ragged, reason):
    torch.manual_seed(0)
    module = kind()
    with pytest.raises(ConfigurationError, match=rf"{reason}.*\(norm: batch normalisation"):
        read(module, series(ragged=ragged))
    assert module.norm.running_mean is None or not module.norm.running_mean.any()


class Stateful(Base):
    """Goes on where the last batch ended."""

    def __init__(self):
        super().__init__()
        self.h = None

    def forward(self, x):
        h = self.h if self.h is not None and self.h.shape[1] == len(x) else None
        out, self.h = self.rnn(x, h)
        return self.fc(out[:, -1])


def test_states_that_are_kept_from_batch_to_batch_are_refused():
    module = Stateful()
    with pytest.raises(ConfigurationError, match=r"depend on the batches before: it keeps \['h'\]"):
        read(module)
    assert module.h is None


def test_randomness_of_python_and_numpy_is_as_before():
    class Draws(Last):
        def training_step(self, batch, batch_idx):
            random.random()
            np.random.rand()
            return self(batch.inputs)

    random.seed(0)
    np.random.seed(0)
    expected = random.random(), np.random.rand()
    random.seed(0)
    np.random.seed(0)
    read(Draws())
    assert (random.random(), np.random.rand()) == expected


def test_what_was_shared_stays_shared():
    module = Last()
    module.shared = module.same = [torch.zeros(1)]
    with unchanged(module) as before:
        module.shared[0] += 1
        module.shared.append(2)
        module.same = None
        module.rnn.weight_hh_l0.data.zero_()
        assert before.changed == ["same", "weight_hh_l0"]
        assert before.wrote_numbers
    assert module.shared is module.same
    assert module.shared == [torch.zeros(1)]
    assert module.rnn.weight_hh_l0.any()


def test_evaluating_without_a_train_of_its_own_keeps_what_is_trained_meanwhile():
    """A stream that is closed late must not bring old weights back."""
    module = Last()
    with evaluating(module):
        module.fc.weight.data.fill_(7)
    assert (module.fc.weight == 7).all()
