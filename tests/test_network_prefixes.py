"""What is told of a prefix is what the network answers to inputs that really end there."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnrepair.network import Readout
from tests.network_forms import Base, C, F, H, series
from tests.prefix_forms import ANY, Custom, LearnedStart, LooksAhead, Side, read, strong


@pytest.mark.parametrize("name", ANY)
def test_step_predictions_are_the_answers_to_inputs_that_are_cut(name):
    make, options, readout = ANY[name]
    module = strong(make)
    network = read(module, series(ragged=False), **options)
    assert network.readout == Readout[readout], network.describe()
    batch = series(n=40, ragged=False, seed=1)
    (found,) = network.steps([batch])
    prediction = found.prediction.view(40, 9)
    for n in range(1, 10):
        expected = answers(module, batch.rows(slice(None), n))
        assert torch.equal(prediction[:, n - 1], expected), n
    assert len(prediction.unique()) > 1


def answers(module, batch):
    lengths = (batch.lengths,) if isinstance(module, LearnedStart) else ()
    with torch.no_grad():
        return module.eval()(batch.inputs, *lengths).argmax(1)


def test_the_layer_that_answers_hang_on_is_read():
    assert "states of rnn (GRU)" in read(strong(Side), series(ragged=False)).describe()


@pytest.mark.parametrize("name", ["reversed", "looks ahead", "end token", "decoder"])
def test_states_of_what_looks_ahead_are_those_of_cut_inputs(name):
    module = strong(ANY[name][0])
    network = read(module, series(ragged=False))
    batch = series(n=5, ragged=False, seed=1)
    other = series(n=5, ragged=False, seed=1)
    other.inputs[:, 6:] = 7.0
    (left,), (right,) = network.steps([batch]), network.steps([other])
    left, right = left.hidden.view(5, 9, H), right.hidden.view(5, 9, H)
    torch.testing.assert_close(left[:, :6], right[:, :6])
    assert not torch.allclose(left[:, 6:], right[:, 6:], atol=1e-3)
    assert "later" in network.describe() or "recorded" in network.describe()


def test_cut_inputs_of_ragged_sequences_end_where_each_ends():
    """Its convolution pads with zeros, so that a longer batch changes nothing."""

    class Packed(LooksAhead):
        def forward(self, x, lengths):
            x = x * (torch.arange(x.shape[1]) < lengths[:, None])[:, :, None]
            x = self.conv(x.transpose(1, 2)).transpose(1, 2)
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            out, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
            return self.fc(out.sum(1) / lengths[:, None])

    module, batch = strong(Packed), series()
    network = read(module, batch)
    (found,) = network.steps([batch])
    assert found.lengths.tolist() == batch.lengths.tolist()
    parts = found.prediction.split(found.lengths.tolist())
    for row, part in enumerate(parts):
        for n in range(1, len(part) + 1):
            with torch.no_grad():
                own = module(batch.inputs[row : row + 1, :n], torch.tensor([n])).argmax()
            assert part[n - 1] == own


def test_half_the_steps_that_look_ahead_are_those_of_the_tap():
    class Halved(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.pool = nn.Conv1d(F, F, 3, padding=1), nn.MaxPool1d(2)
            self.rnn, self.fc = nn.GRU(F, H, batch_first=True), nn.Linear(H, C)

        def forward(self, x):
            x = self.pool(self.conv(x.transpose(1, 2))).transpose(1, 2)
            return self.fc(self.rnn(x)[0][:, -1])

    module, batch = strong(Halved), series(ragged=False)
    network = read(module, batch)
    (found,) = network.steps([batch])
    assert set(found.lengths.tolist()) == {4}
    for step, n in enumerate((2, 4, 6, 9)):
        expected = answers(module, batch.rows(slice(None), n))
        assert torch.equal(found.prediction.view(-1, 4)[:, step], expected)


def test_a_network_that_standardises_its_window_is_read_from_its_second_step_on():
    """The standard deviation over one step is no number; neither network nor data are at fault."""

    class Standardised(Base):
        def forward(self, x):
            x = (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-5)
            return self.fc(self.rnn(x)[0][:, -1])

    module, batch = strong(Standardised), series(ragged=False)
    (found,) = read(module, batch).steps([batch])
    assert set(found.lengths.tolist()) == {8}
    assert found.hidden.isfinite().all()
    for step, n in enumerate(range(2, 10)):
        expected = answers(module, batch.rows(slice(None), n))
        assert torch.equal(found.prediction.view(-1, 8)[:, step], expected)


@pytest.mark.parametrize("row", [0, 3])
def test_steps_that_are_no_numbers_of_one_sequence_are_its_own(row):
    class Standardised(Base):
        def forward(self, x):
            x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
            return self.fc(self.rnn(x)[0][:, -1])

    module, batch = strong(Standardised), series(n=8, ragged=False)
    network = read(module, batch)
    batch.inputs[row, :4] = batch.inputs[row, :1]  # of no spread for four steps
    (found,) = network.steps([batch])
    expected = [8] * 8
    expected[row] = 5
    assert found.lengths.tolist() == expected
    assert found.hidden.isfinite().all()


def test_directions_are_told():
    module = strong(lambda: Base(bidirectional=True, width=2 * H))
    module.forward = lambda x: module.fc(module.rnn(x)[0].mean(1))
    network = read(module, series(ragged=False))
    assert network.readout == Readout.MEAN
    assert "reads both ways" in network.describe()


@pytest.mark.parametrize("scale", [0.0, 1e-6])
def test_a_head_that_says_nothing_yet_hides_nothing(scale):
    """The mean over steps and the last state give the same logits where all weights are 0."""

    class Mean(Base):
        def forward(self, x):
            return self.fc(self.rnn(x)[0].mean(1))

    module, batch = strong(Mean), series(ragged=False)
    trained = module.fc.weight.clone()
    with torch.no_grad():
        module.fc.weight.mul_(scale)
        module.fc.bias.mul_(scale)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    network = read(module, batch)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert network.readout == Readout.MEAN
    with torch.no_grad():
        module.fc.weight.copy_(trained)
    (found,) = network.steps([batch])
    for n in range(1, 10):
        own = answers(module, batch.rows(slice(None), n))
        assert torch.equal(found.prediction.view(-1, 9)[:, n - 1], own)


def test_the_layout_of_a_layer_is_that_of_verification():
    """A batch of as many sequences as steps has no layout of its own."""
    module = strong(Custom)
    network = read(module, series(ragged=False), tap="layer")
    for n in (9, 4):
        batch = series(n=n, n_steps=9, ragged=False, seed=2)
        (found,) = network.steps([batch])
        with torch.no_grad():
            own = module.layer(batch.inputs.transpose(0, 1)).transpose(0, 1)
        torch.testing.assert_close(found.hidden.view(n, 9, H), own)


def test_noise_on_weights_is_as_small_as_they_need_it():
    """A recurrence of the identity explodes with any more, and a scale must stay positive."""

    class Identity(Base):
        def __init__(self):
            super().__init__(nn.RNN, nonlinearity="relu")
            self.scale = nn.Parameter(torch.full((1,), 1e-3))
            with torch.no_grad():
                self.rnn.weight_hh_l0.copy_(torch.eye(H))

        def forward(self, x):
            return self.fc(self.rnn(x)[0].mean(1)) * self.scale.log()

    torch.manual_seed(0)
    network = read(Identity(), series(n_steps=400, ragged=False))
    assert network.readout == Readout.MEAN
    assert torch.isfinite(network.predict([series(n_steps=400, ragged=False)]).logits).all()
