"""What is told of a prefix is what the network answers to inputs that really end there."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnrepair.errors import ConfigurationError
from rnnrepair.network import Readout, TracedNetwork
from rnnrepair.sequences import DataSpec
from tests.network_forms import Base, C, F, H, series


def read(module, batch=None, **options):
    network = TracedNetwork.of(module, DataSpec("series", F, C), **options)
    network.verify(series() if batch is None else batch)
    return network


def strong(make):
    """A module whose weights are large enough for answers to differ."""
    torch.manual_seed(0)
    module = make()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(3)
    return module


class Reversed(Base):
    def forward(self, x):
        return self.fc(self.rnn(x.flip(1))[0][:, -1])


class LooksAhead(Base):
    """The convolution sees the next two steps."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(F, F, 5, padding=2)

    def forward(self, x):
        x = self.conv(x.transpose(1, 2)).transpose(1, 2)
        return self.fc(self.rnn(x)[0].mean(1))


class Standardised(Base):
    """Every step knows the mean of all."""

    def forward(self, x):
        return self.fc(self.rnn(x - x.mean(1, keepdim=True))[0][:, -1])


class EndToken(Base):
    def __init__(self):
        super().__init__()
        self.end = nn.Parameter(torch.randn(F))

    def forward(self, x):
        end = self.end.expand(len(x), 1, F)
        return self.fc(self.rnn(torch.cat([x, end], 1))[0][:, -1])


class Decoder(nn.Module):
    """A decoder of three steps begins with what the encoder has read."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = (nn.GRU(n, H, batch_first=True) for n in (F, 1))
        self.fc = nn.Linear(H, C)

    def forward(self, x):
        _, h = self.encoder(x)
        return self.fc(self.decoder(x.new_zeros(len(x), 3, 1), h)[0].flatten(1)[:, -H:])


class AsksOnce(Decoder):
    """A decoder of one step."""

    def forward(self, x):
        _, h = self.encoder(x)
        return self.fc(self.decoder(x.new_zeros(len(x), 1, 1), h)[0][:, 0])


class TwoLoops(nn.Module):
    """The same cell reads the sequence twice."""

    def __init__(self):
        super().__init__()
        self.cell, self.fc = nn.GRUCell(F, H), nn.Linear(H, C)

    def forward(self, x):
        h = None
        for t in (*range(x.shape[1]), *range(x.shape[1])):
            h = self.cell(x[:, t], h)
        return self.fc(h)


class OneAgainstTheOther(nn.Module):
    """Both directions by hand."""

    def __init__(self):
        super().__init__()
        self.there, self.back = (nn.GRU(F, H, batch_first=True) for _ in range(2))
        self.fc = nn.Linear(2 * H, C)

    def forward(self, x):
        both = [self.there(x)[0][:, -1], self.back(x.flip(1))[0][:, -1]]
        return self.fc(torch.cat(both, 1))


class BothWaysBehindLooksAhead(LooksAhead):
    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.GRU(F, H, batch_first=True, bidirectional=True), nn.Linear(2 * H, C)


class CellRead(nn.Module):
    """The head reads what an LSTM cell remembers."""

    def __init__(self):
        super().__init__()
        self.cell, self.fc = nn.LSTMCell(F, H), nn.Linear(2 * H, C)

    def forward(self, x):
        state = None
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        return self.fc(torch.cat(state, 1))


class LearnedStart(Base):
    """Learned initial states of all layers; the head reads all of them."""

    def __init__(self, kind=nn.LSTM, by_name=False, normed=None):
        super().__init__(kind, 2 * H, num_layers=2)
        n_states = 2 if kind is nn.LSTM else 1
        self.start = nn.Parameter(torch.randn(n_states, 2, 1, H))
        self.by_name = by_name
        if normed is not None:
            for layer in range(2):
                normed(self.rnn, f"weight_hh_l{layer}")

    def forward(self, x, lengths):
        start = tuple(s.expand(-1, len(x), -1).contiguous() for s in self.start)
        start = start if len(start) > 1 else start[0]
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, h = self.rnn(packed, hx=start) if self.by_name else self.rnn(packed, start)
        h = h[0] if isinstance(h, tuple) else h
        return self.fc(h.transpose(0, 1).flatten(1))


class Steps(Base):
    """A layer of several layers once a step, all of whose states are read."""

    def __init__(self):
        super().__init__(nn.LSTM, 4 * H, num_layers=2)

    def forward(self, x):
        h = None
        for t in range(x.shape[1]):
            _, h = self.rnn(x[:, t : t + 1], h)
        return self.fc(torch.cat(h).transpose(0, 1).flatten(1))


class OnlyOutput(nn.LSTM):
    def forward(self, x):
        return super().forward(x)[0]


class Subclassed(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.fc = OnlyOutput(F, H, batch_first=True), nn.Linear(H, C)

    def forward(self, x):
        return self.fc(self.rnn(x)[:, -1])


class Custom(nn.Module):
    """A recurrent layer of one's own whose steps come first."""

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.Linear(F + H, H)

        def forward(self, x):
            h, out = x.new_zeros(x.shape[1], H), []
            for step in x:
                h = self.gru(torch.cat([step, h], 1)).tanh()
                out.append(h)
            return torch.stack(out)

    def __init__(self):
        super().__init__()
        self.layer, self.fc = self.Layer(), nn.Linear(H, C)

    def forward(self, x):
        return self.fc(self.layer(x.transpose(0, 1))[-1])


class EncodesItself(nn.Module):
    """A recurrent layer of one's own that returns its last state, too."""

    class Layer(Custom.Layer):
        def forward(self, x):
            out = super().forward(x.transpose(0, 1)).transpose(0, 1)
            return out, out[:, -1]

    def __init__(self, read_last=False):
        super().__init__()
        self.layer, self.fc, self.read_last = self.Layer(), nn.Linear(H, C), read_last

    def forward(self, x):
        out, last = self.layer(x)
        return self.fc(last if self.read_last else out[:, -1])


class Side(Base):
    """A second layer that runs last says nothing about the answer."""

    def __init__(self):
        super().__init__()
        self.side = nn.GRU(H, H, batch_first=True)

    def forward(self, x):
        out = self.rnn(x)[0]
        self.side(out)
        return self.fc(out[:, -1])


class SharedBelow(Base):
    """The layer below runs twice, so that it has no states of its own; it runs again."""

    def __init__(self):
        super().__init__()
        self.below = nn.GRU(F, F, batch_first=True)

    def forward(self, x):
        return self.fc(self.rnn(self.below(x)[0] + self.below(-x)[0])[0].amax(1))


ANY = {
    "shared below": (SharedBelow, {}, "REPLAY"),
    "own layer, states": (EncodesItself, {"tap": "layer"}, "POINTWISE"),
    "own layer, last state": (lambda: EncodesItself(read_last=True), {"tap": "layer"}, "CUT"),
    "reversed": (Reversed, {}, "CUT"),
    "looks ahead": (LooksAhead, {}, "CUT"),
    "standardised": (Standardised, {}, "CUT"),
    "end token": (EndToken, {}, "CUT"),
    "decoder": (Decoder, {}, "CUT"),
    "decoder of one step": (AsksOnce, {}, "CUT"),
    "two loops": (TwoLoops, {}, "CUT"),
    "both ways by hand": (OneAgainstTheOther, {}, "CUT"),
    "both ways behind look-ahead": (BothWaysBehindLooksAhead, {}, "CUT"),
    "cell read": (CellRead, {}, "POINTWISE"),
    "learned start, LSTM": (LearnedStart, {}, "REPLAY"),
    "learned start, GRU by name": (lambda: LearnedStart(nn.GRU, by_name=True), {}, "REPLAY"),
    "weight norm": (lambda: LearnedStart(normed=parametrizations.weight_norm), {}, "REPLAY"),
    "spectral norm": (lambda: LearnedStart(normed=parametrizations.spectral_norm), {}, "REPLAY"),
    "layers once a step": (Steps, {}, "REPLAY"),
    "subclass": (Subclassed, {}, "POINTWISE"),
    "steps first": (Custom, {"tap": "layer"}, "POINTWISE"),
    "side": (Side, {}, "POINTWISE"),
}


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


def test_states_of_another_number_of_sequences_are_refused():
    class OverTheBatch(nn.Module):
        """batch_first was forgotten: it reads over the batch."""

        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.GRU(F, H), nn.Linear(H, C)

        def forward(self, x):
            return self.fc(self.rnn(x)[0][:, -1])

    with pytest.raises(ConfigurationError, match="batch_first=False it reads over the batch"):
        read(OverTheBatch(), series(ragged=False))


class Beam(nn.Module):
    """Calls its cell with other numbers of rows."""

    def __init__(self):
        super().__init__()
        self.cell, self.fc = nn.GRUCell(F, H), nn.Linear(H, C)

    def forward(self, x):
        h = self.cell(x[:, 0])
        h = self.cell(x[:, 1].repeat(2, 1), h.repeat(2, 1))
        return self.fc(h[: len(x)] + h[len(x) :])


class Siamese(Base):
    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1] + self.rnn(x[:, ::2])[0][:, -1])


class Flattened(Base):
    """Reads as many steps as it has weights for."""

    def __init__(self):
        super().__init__(width=9 * H)

    def forward(self, x):
        return self.fc(self.rnn(x)[0].flatten(1))


class Fixed(Base):
    """Takes sequences of one length; what it says of states is asked on whole inputs."""

    def __init__(self, **options):
        super().__init__(width=2 * H if options else H, **options)

    def forward(self, x):
        return self.fc(self.rnn(x.reshape(-1, 9, F))[0][:, -1])

    def training_step(self, batch, batch_idx):
        return self(batch.inputs.reshape(-1, 9, F))


class FixedReversed(Fixed):
    def forward(self, x):
        return self.fc(self.rnn(x.reshape(-1, 9, F).flip(1))[0][:, -1])


class FixedResidual(Fixed):
    """Reads its inputs again behind the states."""

    def forward(self, x):
        return self.fc(self.rnn(x.reshape(-1, 9, F))[0][:, -1] + x[:, -1].repeat(1, 2)[:, :H])


class Dropped(Base):
    def forward(self, x):
        return self.fc(nn.functional.dropout(self.rnn(x)[0][:, -1], 0.5))


class Noise(Base):
    def forward(self, x):
        keep = torch.bernoulli(torch.full((len(x), H), 0.5))
        return self.fc(self.rnn(x)[0][:, -1] * keep)


class Unread(Side):
    """No recurrent layer says anything about the answer."""

    def forward(self, x):
        self.rnn(x)
        return self.fc(torch.cat([x, x], -1)[:, -1, :H])


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Beam, {}, "states of 60 sequences|states of 14 sequences"),
        (Siamese, {}, "ran 2 times"),
        (FixedReversed, {}, "9 steps and no fewer"),
        (FixedResidual, {}, "9 steps and no fewer"),
        (Flattened, {}, "9 steps and no fewer"),
        (Dropped, {}, "random: dropout drops numbers in evaluation mode"),
        (Noise, {}, "its answers are random"),
        (Unread, {}, "do not hang on them"),
        (Side, {"tap": "side"}, "states of side give the same answers"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(make, options, message):
    with pytest.raises(ConfigurationError, match=message) as told:
        read(strong(make), series(ragged=False), **options)
    assert "trace(" in str(told.value)


def test_a_random_start_is_told_and_everything_else_read_without_it():
    class RandomStart(Base):
        def forward(self, x):
            return self.fc(self.rnn(x, torch.randn(1, len(x), H))[0][:, -1])

    network = read(strong(RandomStart), series(ragged=False))
    assert network.readout == Readout.POINTWISE
    assert "noisy: it draws random numbers" in network.describe()


@pytest.mark.parametrize("both", [False, True])
def test_a_network_of_one_length_is_asked_with_its_states(both):
    module, batch = (
        strong(lambda: Fixed(**({"bidirectional": True} if both else {}))),
        series(ragged=False),
    )
    network = read(module, batch)
    assert network.readout == Readout.POINTWISE
    assert "9 steps and no fewer" in network.describe()
    assert ("both ways" in network.describe()) is both
    (found,) = network.steps([batch])
    with torch.no_grad():
        own = module.fc(module.rnn(batch.inputs)[0]).argmax(-1)
    if not both:
        assert torch.equal(found.prediction, own.flatten())


def test_layers_are_suggested_that_return_their_states_first():
    with pytest.raises(ConfigurationError, match=r"tap= one of \['layer.gru', 'layer'\]"):
        read(EncodesItself(), series(ragged=False))


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
    assert network.readout == Readout.REPLAY
    assert torch.isfinite(network.predict([series(n_steps=400, ragged=False)]).logits).all()
