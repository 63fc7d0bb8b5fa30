"""Recurrent classifiers as people write them, by the numbers of the list that they were taken from.

Every form has ``decide(module, batch)``: the class that its user takes its output for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from rnnrepair.sequences import SequenceBatch

F, H, C = 4, 6, 3


@dataclass(frozen=True)
class Form:
    """A network, its data, and its user's rule.

    Attributes:
        make: builds the module.
        decide: (module, batch) -> (B,) classes.
        classes: C.
        tokens: whether it reads tokens.
        ragged: whether it can be given sequences of different lengths.
        padding: whether its answer depends on the padding of a batch.
        options: of TracedNetwork.of.
        readout: how step predictions are found: pointwise, replay, cut.
        prefix: whether cutting the input is the same as reading a prefix (nothing looks ahead).
    """

    make: Callable[[], nn.Module]
    decide: Callable
    classes: int = C
    tokens: bool = False
    ragged: bool = True
    padding: bool = False
    options: dict | None = None
    readout: str = "POINTWISE"
    prefix: bool = True


def best(output):
    return output.argmax(-1)


class Base(nn.Module):
    """Parts that the forms share."""

    def __init__(self, kind=nn.GRU, width=H, classes=C, **options):
        super().__init__()
        self.rnn = kind(F, H, batch_first=True, **options)
        self.fc = nn.Linear(width, classes)


class PackedLayers(Base):  # 1
    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (h, _) = self.rnn(packed)
        return self.fc(h[-1])


class BothWays(Base):  # 2
    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (h, _) = self.rnn(packed)
        return self.fc(torch.cat([h[-2], h[-1]], 1))


class StepsFirstOneLogit(nn.Module):  # 3
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, F)
        self.rnn = nn.LSTM(F, H, 2, bidirectional=True, dropout=0.5)
        self.fc = nn.Linear(2 * H, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, text, text_lengths):
        packed = pack_padded_sequence(self.embedding(text), text_lengths.cpu())
        _, (hidden, _) = self.rnn(packed)
        return self.fc(self.dropout(torch.cat([hidden[-2], hidden[-1]], 1)))

    def training_step(self, batch, batch_idx):
        logit = self(batch.inputs.T, batch.lengths).squeeze(1)
        return nn.functional.binary_cross_entropy_with_logits(logit, batch.label.float())


class Attention(Base):  # 4
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(H, 1)

    def forward(self, x, mask):
        out, _ = self.rnn(x)
        score = self.score(out).squeeze(-1).masked_fill(~mask, -torch.inf)
        return self.fc((score.softmax(1)[:, :, None] * out).sum(1))


class Squeezed(Base):  # 5
    def __init__(self):
        super().__init__(nn.LSTM, 2 * H, 1, bidirectional=True)

    def forward(self, x):
        _, (h, _) = self.rnn(x)
        return torch.sigmoid(self.fc(torch.cat([h[0], h[1]], 1))).squeeze()


class Convolved(nn.Module):  # 6
    def __init__(self):
        super().__init__()
        self.conv, self.pool = nn.Conv1d(F, F, 3, padding=1), nn.MaxPool1d(2)
        self.rnn = nn.LSTM(F, H, batch_first=True)
        self.fc = nn.Linear(H, C)

    def forward(self, x):
        x = self.pool(self.conv(x.transpose(1, 2)).relu()).transpose(1, 2)
        return self.fc(self.rnn(x)[0][:, -1])


class DeepHead(Base):  # 7
    def __init__(self):
        super().__init__()
        # A hidden layer that looks like a head, and one that is as wide as a state.
        self.fc = nn.Sequential(nn.Linear(H, H), nn.ReLU(), nn.Dropout(0.5), nn.Linear(H, C))

    def forward(self, x, lengths):
        out, _ = self.rnn(x)
        return self.fc(out[torch.arange(len(x)), lengths - 1])


class MeanOfSteps(nn.Module):  # 8
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.GRU(F, H), nn.GRU(H, H)
        self.fc = nn.Linear(H, C)

    def forward(self, x):
        out = self.second(self.first(x)[0])[0]
        return self.fc(out).log_softmax(-1).mean(0)

    def training_step(self, batch, batch_idx):
        return nn.functional.nll_loss(self(batch.inputs.transpose(0, 1)), batch.label)


class Cell(nn.Module):  # 11
    def __init__(self, kind=nn.LSTMCell):
        super().__init__()
        self.cell, self.fc = kind(F, H), nn.Linear(H, C)

    def forward(self, x):
        state = None
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        return self.fc(state[0] if isinstance(state, tuple) else state)


class MaxOfSteps(nn.Module):  # 13
    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.GRU(F, H), nn.Linear(H, C)

    def forward(self, x):
        return self.fc(self.rnn(x.transpose(0, 1))[0].amax(0))


class GivesHidden(Base):  # 14
    def forward(self, x, hidden):
        out, hidden = self.rnn(x, hidden)
        return self.fc(out[:, -1]), hidden


class TwoModules(nn.Module):  # 15
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.LSTM(F, H, batch_first=True), nn.LSTM(H, H, batch_first=True)
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(H, C)

    def forward(self, x):
        return self.fc(self.two(self.drop(self.one(x)[0]))[0][:, -1])


class WithWeights(Attention):  # 16
    def forward(self, x, mask):
        out, _ = self.rnn(x)
        weights = self.score(out).squeeze(-1).masked_fill(~mask, -torch.inf).softmax(1)
        return self.fc((weights[:, :, None] * out).sum(1)), weights


class Softmaxed(Base):  # 17
    def forward(self, x, lengths):
        out, _ = self.rnn(x)
        return self.fc(out[torch.arange(len(x)), lengths - 1]).softmax(-1)


class LastOfPadded(Base):  # 18
    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1, :])


class Normed(Base):  # 19
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(H)

    def forward(self, x, lengths):
        out, _ = self.rnn(x)
        return self.fc(self.norm(out[torch.arange(len(x)), lengths - 1]).relu())


class OptionalLengths(Base):  # 20
    def forward(self, x, lengths=None):
        if lengths is None:
            return self.fc(self.rnn(x)[1][-1])
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.fc(self.rnn(packed)[1][-1])


class Masked(nn.Module):  # 21
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, F)
        self.rnn, self.fc = nn.GRU(F, H, batch_first=True), nn.Linear(H, C)

    def forward(self, input_ids, attention_mask):
        out, _ = self.rnn(self.embedding(input_ids))
        weight = attention_mask[:, :, None].float()
        return {"logits": self.fc((out * weight).sum(1) / weight.sum(1))}


class WholeBatch(Base):  # 22
    def forward(self, batch):
        out, _ = self.rnn(batch.inputs)
        return self.fc(out[torch.arange(len(batch)), batch.lengths - 1])


class Parts(Base):  # 22: no forward at all
    def classify(self, x):
        return self.fc(self.rnn(x)[0][:, -1])


class AllLayers(Base):  # 24
    def __init__(self, kind=nn.GRU):
        super().__init__(kind, 3 * H, num_layers=3)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, h = self.rnn(packed)
        h = h[0] if isinstance(h, tuple) else h
        return self.fc(h.transpose(0, 1).flatten(1))


class CellState(Base):
    """Classifies what an LSTM remembers, not what it shows."""

    def __init__(self):
        super().__init__(nn.LSTM)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.fc(self.rnn(packed)[1][1][-1])


class Handmade(nn.Module):  # 25
    def __init__(self):
        super().__init__()
        self.step, self.fc = nn.Linear(F + H, H), nn.Linear(H, C)

    def forward(self, x):
        h = x.new_zeros(len(x), H)
        for t in range(x.shape[1]):
            h = torch.tanh(self.step(torch.cat([x[:, t], h], 1)))
        return self.fc(h)


class NoHead(nn.Module):  # 25
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(F, C, batch_first=True)

    def forward(self, x, lengths):
        out, _ = self.rnn(x)
        return out[torch.arange(len(x)), lengths - 1]


class StepByStep(Base):
    """Calls a layer of torch once a step."""

    def forward(self, x):
        h = None
        for t in range(x.shape[1]):
            out, h = self.rnn(x[:, t : t + 1], h)
        return self.fc(out[:, 0])


class Residual(Base):
    """Reads its inputs again behind the recurrent layer."""

    def __init__(self):
        super().__init__(width=H + F)

    def forward(self, x):
        return self.fc(torch.cat([self.rnn(x)[0], x], -1).amax(1))


class DictMean(Base):  # 23
    def forward(self, x, mask):
        weight = mask[:, :, None].float()
        mean = (self.rnn(x)[0] * weight).sum(1) / weight.sum(1)
        return {"features": mean, "scores": self.fc(mean)}


FORMS = {
    "1 packed": Form(
        lambda: PackedLayers(nn.LSTM, num_layers=2),
        lambda m, b: best(m(b.inputs, b.lengths)),
    ),
    "2 both directions": Form(
        lambda: BothWays(nn.LSTM, 2 * H, bidirectional=True, num_layers=2),
        lambda m, b: best(m(b.inputs, b.lengths)),
        prefix=False,
    ),
    "3 steps first, sorted, one logit": Form(
        StepsFirstOneLogit,
        lambda m, b: (m(b.inputs.T, b.lengths).squeeze(1) > 0).long(),
        classes=2,
        tokens=True,
        prefix=False,
    ),
    "4 attention": Form(Attention, lambda m, b: best(m(b.inputs, b.mask)), readout="REPLAY"),
    "5 one sigmoid, squeezed": Form(
        Squeezed,
        lambda m, b: (m(b.inputs) > 0.5).long(),
        classes=2,
        ragged=False,
        prefix=False,
    ),
    "6 half the steps": Form(
        Convolved, lambda m, b: best(m(b.inputs)), ragged=False, readout="CUT", prefix=False
    ),
    "7 deep head": Form(DeepHead, lambda m, b: best(m(b.inputs, b.lengths))),
    "8 mean over steps": Form(
        MeanOfSteps,
        lambda m, b: best(m(b.inputs.transpose(0, 1))),
        ragged=False,
        readout="MEAN_ANSWER",
    ),
    "10 last step": Form(LastOfPadded, lambda m, b: best(m(b.inputs)), ragged=False),
    "11 LSTM cell": Form(Cell, lambda m, b: best(m(b.inputs)), ragged=False),
    "11 GRU cell": Form(lambda: Cell(nn.GRUCell), lambda m, b: best(m(b.inputs)), ragged=False),
    "13 max over time": Form(
        MaxOfSteps, lambda m, b: best(m(b.inputs)), ragged=False, readout="MAXIMUM"
    ),
    "14 returns hidden states, too": Form(
        GivesHidden, lambda m, b: best(m(b.inputs, None)[0]), ragged=False
    ),
    "15 two modules": Form(TwoModules, lambda m, b: best(m(b.inputs)), ragged=False),
    "16 logits and weights in a tuple": Form(
        WithWeights, lambda m, b: best(m(b.inputs, b.mask)[0]), readout="REPLAY"
    ),
    "17 softmax at the end": Form(Softmaxed, lambda m, b: best(m(b.inputs, b.lengths))),
    "18 last of padded": Form(LastOfPadded, lambda m, b: best(m(b.inputs)), padding=True),
    "19 norm behind the state": Form(Normed, lambda m, b: best(m(b.inputs, b.lengths))),
    "20 optional lengths": Form(OptionalLengths, lambda m, b: best(m(b.inputs, b.lengths))),
    "21 mask by name": Form(
        Masked,
        lambda m, b: best(m(b.inputs, b.mask)["logits"]),
        tokens=True,
        readout="MEAN",
    ),
    "22 forward(batch)": Form(WholeBatch, lambda m, b: best(m(b))),
    "22 no forward at all": Form(
        Parts,
        lambda m, b: best(m.classify(b.inputs)),
        ragged=False,
        options={"call": lambda module, batch: module.classify(batch.inputs)},
    ),
    "23 a dict, mean of real steps": Form(
        DictMean, lambda m, b: best(m(b.inputs, b.mask)["scores"]), readout="MEAN"
    ),
    "24 all layers": Form(AllLayers, lambda m, b: best(m(b.inputs, b.lengths)), readout="REPLAY"),
    "24 all layers, LSTM": Form(
        lambda: AllLayers(nn.LSTM), lambda m, b: best(m(b.inputs, b.lengths)), readout="REPLAY"
    ),
    "24 cell state": Form(CellState, lambda m, b: best(m(b.inputs, b.lengths)), readout="REPLAY"),
    "25 recurrence of nn.Linear": Form(
        Handmade, lambda m, b: best(m(b.inputs)), ragged=False, options={"tap": "step"}
    ),
    "25 no head": Form(NoHead, lambda m, b: best(m(b.inputs, b.lengths))),
    "layer once a step": Form(StepByStep, lambda m, b: best(m(b.inputs)), ragged=False),
    "inputs read again behind the states": Form(
        Residual, lambda m, b: best(m(b.inputs)), ragged=False, readout="REPLAY"
    ),
}


def series(n=30, n_steps=9, *, ragged=True, seed=0):
    """Sequences of C classes, padded with numbers that say something."""
    g = torch.Generator().manual_seed(seed)
    lengths = torch.full((n,), n_steps)
    if ragged:
        lengths = torch.randint(1, n_steps + 1, (n,), generator=g)
        lengths[0] = n_steps
    inputs = torch.randn(n, n_steps, F, generator=g)
    return SequenceBatch(
        torch.arange(n) + 500, inputs, lengths, torch.randint(C, (n,), generator=g)
    )
