"""Recurrent classifiers of which it is hard to say what they would answer earlier."""

import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence

from rnnrepair.network import TracedNetwork
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


# Module, options of TracedNetwork.of, and how step predictions are found.
ANY = {
    "shared below": (SharedBelow, {}, "MAXIMUM"),
    "own layer, states": (EncodesItself, {"tap": "layer"}, "POINTWISE"),
    "own layer, last state": (lambda: EncodesItself(read_last=True), {"tap": "layer"}, "POINTWISE"),
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
