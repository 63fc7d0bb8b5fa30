"""Networks that have no one answer to a prefix, or none that could be told, are refused."""

import pytest
import torch
from torch import nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.network import Readout
from tests.network_forms import Base, C, F, H, series
from tests.prefix_forms import EncodesItself, Side, read, strong


class OverTheBatch(nn.Module):
    """batch_first was forgotten: it reads over the batch."""

    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.GRU(F, H), nn.Linear(H, C)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])


def test_states_of_another_number_of_sequences_are_refused():
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
    # A dropout is mended where it stands; no tap, call or trace would help.
    assert ("trace(" in str(told.value)) is (make is not Dropped)
    assert ("training=self.training" in str(told.value)) is (make is Dropped)


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
    with pytest.raises(ConfigurationError, match=r"(?s)tap='layer' .*tap='layer.gru' "):
        read(EncodesItself(), series(ragged=False))


class Convolved(Base):
    """Its convolution has the steps last."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(F, F, 3, padding=2)

    def forward(self, x):
        h = self.conv(x.transpose(1, 2))[:, :, :-2].transpose(1, 2)
        return self.fc(self.rnn(h)[0][:, -1])


def test_a_layer_with_the_steps_last_is_refused_as_a_tap():
    with pytest.raises(ConfigurationError, match="last dimension is steps"):
        read(Convolved(), series(ragged=False), tap="conv")
    assert read(Convolved(), series(ragged=False)).readout == Readout.POINTWISE


WIDE = F + 2


class Narrow(Base):
    """Made for other data: one of its layers reads two features more than there are."""

    def __init__(self, rnn=None, first=None, packs=False):
        super().__init__()
        self.rnn, self.first, self.packs = rnn or self.rnn, first, packs

    def forward(self, x, lengths):
        if isinstance(self.first, nn.Conv1d):
            x = self.first(x.transpose(1, 2)).transpose(1, 2)
        elif self.first is not None:
            x = self.first(x)
        if isinstance(self.rnn, nn.LSTMCell):
            return self.fc(self.rnn(input=x[:, 0])[0])
        if self.packs:
            x = nn.utils.rnn.pack_padded_sequence(x, lengths, True, enforce_sorted=False)
        return self.fc(self.rnn(x)[1][-1])


@pytest.mark.parametrize("tap", [None, "rnn"])
@pytest.mark.parametrize(
    ("module", "told"),
    [
        (Narrow(nn.GRU(WIDE, H, batch_first=True)), r"rnn \(GRU\).*input_size"),
        (Narrow(nn.GRU(WIDE, H, batch_first=True), packs=True), r"rnn \(GRU\).*input_size"),
        (Narrow(nn.LSTMCell(WIDE, H)), r"rnn \(LSTMCell\).*input_size"),
        (Narrow(first=nn.Linear(WIDE, F)), r"first \(Linear\).*in_features"),
        (Narrow(first=nn.Conv1d(WIDE, F, 1)), r"first \(Conv1d\).*in_channels"),
    ],
)
def test_a_layer_of_another_width_than_the_data_is_named(module, told, tap):
    told = rf"{told}={WIDE}.*data have {F}\. Make.*={F}\b"
    with pytest.raises(ConfigurationError, match=told) as error:
        read(module, series(), tap=tap)
    assert "tap" not in str(error.value)
    assert "def trace" not in str(error.value)


class Stumbles(Base):
    """Fails where every layer has what it wants, or what is no width of the data."""

    def __init__(self, width=H):
        super().__init__(width=width)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1]) @ torch.ones(C + 1, C)


@pytest.mark.parametrize("width", [H, H + 1])
def test_other_failures_are_told_as_they_are(width):
    with pytest.raises(ConfigurationError, match=r"that failed: .*mul.*tap="):
        read(Stumbles(width), series())
