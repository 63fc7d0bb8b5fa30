"""The recurrent families of today, each in a classifier as its user writes one.

``FAMILIES`` has entries like those of ``FORMS``; the layers stand in families/.
"""

from functools import partial

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.families.attention import RWKV, LinearAttention
from tests.families.liquid import CfC, CfCCell
from tests.families.minimal import MinGRU, MinGRUCell, MinGRULoop, MinLSTM
from tests.families.state_space import LRU, S4D, S5, Mamba, NamedLRU
from tests.families.xlstm import MLSTM, SLSTM
from tests.network_forms import Base, C, F, Form, H, best

D = 8


class Block(nn.Module):
    """Norm, layer, residual."""

    def __init__(self, layer):
        super().__init__()
        self.norm, self.layer = nn.LayerNorm(D), layer

    def forward(self, x):
        out = self.layer(self.norm(x))
        return x + (out[0] if isinstance(out, tuple) else out)


class Classifier(nn.Module):
    """Inputs made as wide as the blocks, blocks, norm, the last valid step, head."""

    def __init__(self, *layers, tokens=False):
        super().__init__()
        self.embed = nn.Embedding(20, D) if tokens else nn.Linear(F, D)
        self.blocks = nn.ModuleList(Block(layer(D)) for layer in layers)
        self.norm, self.head = nn.LayerNorm(D), nn.Linear(D, C)

    def forward(self, x, lengths):
        return self.head(self.pooled(self.features(x), lengths))

    def features(self, x):
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def pooled(self, x, lengths):
        return x[torch.arange(len(x)), lengths - 1]


class MeanPooled(Classifier):
    def pooled(self, x, lengths):
        real = torch.arange(x.shape[1]) < lengths[:, None]
        return (x * real[..., None]).sum(1) / lengths[:, None]


class AttentionPooled(Classifier):
    def __init__(self, *layers):
        super().__init__(*layers)
        self.score = nn.Linear(D, 1)

    def pooled(self, x, lengths):
        real = torch.arange(x.shape[1]) < lengths[:, None]
        score = self.score(x)[..., 0].masked_fill(~real, -torch.inf)
        return (score.softmax(1)[..., None] * x).sum(1)


class Bare(nn.Module):
    """One layer between inputs and head, without norm and residual."""

    def __init__(self, layer):
        super().__init__()
        self.embed, self.layer, self.head = nn.Linear(F, D), layer(D), nn.Linear(D, C)

    def forward(self, x, lengths):
        out = self.layer(self.embed(x))
        out = out[0] if isinstance(out, tuple) else out
        return self.head(out[torch.arange(len(x)), lengths - 1])


class CellLoop(Bare):
    """The loop over steps stands in the classifier; it stops for a sequence where that ends."""

    def forward(self, x, lengths):
        h = x.new_zeros(len(x), D)
        for t in range(x.shape[1]):
            new = self.layer(self.embed(x[:, t]), h)
            new = new[1] if isinstance(new, tuple) else new
            h = torch.where((t < lengths)[:, None], new, h)
        return self.head(h)


class ReadsLast(nn.Module):
    """Reads the last state that its layer returns beside all of them."""

    def __init__(self, layer):
        super().__init__()
        self.embed, self.layer, self.head = nn.Linear(F, D), layer(D), nn.Linear(D, C)

    def forward(self, x):
        return self.head(self.last(self.layer(self.embed(x))))

    def last(self, output):
        return output[1]


class Inline(nn.Module):
    """Its recurrence stands in forward; its states may pass a layer that has a name."""

    def __init__(self, *, named):
        super().__init__()
        self.embed, self.head = nn.Linear(F, D), nn.Linear(D, C)
        self.mix = nn.Parameter(torch.randn(D, D) / D**0.5)
        self.states = nn.Identity() if named else None

    def forward(self, x, lengths):
        h = x.new_zeros(len(x), D)
        for t, step in enumerate(self.embed(x).unbind(1)):
            new = torch.tanh(step + h @ self.mix)
            new = new if self.states is None else self.states(new)
            h = torch.where((t < lengths)[:, None], new, h)
        return self.head(h)


class PackedStack(nn.Module):
    """A packed layer of torch's whose outputs are pooled."""

    def __init__(self, kind, pool, **options):
        super().__init__()
        self.rnn = kind(F, H, batch_first=True, **options)
        width = (options.get("proj_size") or H) * (2 if options.get("bidirectional") else 1)
        self.pool, self.score, self.fc = pool, nn.Linear(width, 1), nn.Linear(width, C)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        real = (torch.arange(out.shape[1]) < lengths[:, None])[..., None]
        if self.pool == "mean":
            pooled = out.sum(1) / lengths[:, None]
        elif self.pool == "max":
            pooled = out.masked_fill(~real, -torch.inf).amax(1)
        else:
            weight = self.score(out).masked_fill(~real, -torch.inf).softmax(1)
            pooled = (weight * out).sum(1)
        return self.fc(pooled)


class ProjectedLayers(Base):
    """Reads the projected states of all layers."""

    def __init__(self):
        super().__init__(nn.LSTM, 2 * 5, num_layers=2, proj_size=5)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.fc(self.rnn(packed)[1][0].transpose(0, 1).flatten(1))


class ConvolvedPacked(Base):
    """A causal convolution and pooling halve the steps; lengths are halved with them."""

    def __init__(self):
        super().__init__(nn.LSTM)
        self.conv, self.pool = nn.Conv1d(F, F, 3), nn.MaxPool1d(2, ceil_mode=True)

    def forward(self, x, lengths):
        x = self.conv(nn.functional.pad(x.transpose(1, 2), (2, 0))).relu()
        real = torch.arange(x.shape[2]) < lengths[:, None]
        x = self.pool(x * real[:, None]).transpose(1, 2)
        half = (lengths.cpu() + 1) // 2
        packed = pack_padded_sequence(x, half, batch_first=True, enforce_sorted=False)
        return self.fc(self.rnn(packed)[1][0][-1])


def family(make, tap=None, readout="POINTWISE", **more):
    """An entry of FAMILIES: reads lengths, and names its tap where there must be one."""
    options = {"tap": tap} if tap else None
    return Form(
        make, lambda m, b: best(m(b.inputs, b.lengths)), options=options, readout=readout, **more
    )


TORCH = {
    "RNN, two packed layers, mean": family(
        partial(PackedStack, nn.RNN, "mean", num_layers=2), readout="MEAN"
    ),
    "GRU, two packed layers, maximum": family(
        partial(PackedStack, nn.GRU, "max", num_layers=2), readout="MAXIMUM"
    ),
    "LSTM, both directions, attention": family(
        partial(PackedStack, nn.LSTM, "attention", bidirectional=True),
        readout="REPLAY",
        prefix=False,
    ),
    "LSTM, projected, attention": family(
        partial(PackedStack, nn.LSTM, "attention", proj_size=5), readout="REPLAY"
    ),
    "LSTM, projected, all layers": family(ProjectedLayers, readout="REPLAY"),
    "LSTM, half the steps, packed": family(ConvolvedPacked, readout="CUT", prefix=False),
    "GRU cell, ended by length": family(partial(CellLoop, partial(nn.GRUCell, D))),
}
NAMED = {
    "loop in forward, states named": family(lambda: Inline(named=True), "states"),
    "minGRU": family(lambda: Classifier(MinGRU, MinGRU), "norm"),
    "minGRU, loop": family(lambda: Classifier(MinGRULoop, MinGRULoop), "norm"),
    "minGRU, bare": family(lambda: Bare(MinGRU), "layer"),
    "minGRU, cell": family(lambda: CellLoop(MinGRUCell), "layer"),
    "minLSTM": family(lambda: Classifier(MinLSTM, MinLSTM), "norm"),
    "minLSTM, attention": family(lambda: AttentionPooled(MinLSTM), "norm", "REPLAY"),
    "sLSTM": family(lambda: Classifier(SLSTM, SLSTM), "norm"),
    "mLSTM": family(lambda: Classifier(MLSTM), "norm"),
    "xLSTM": family(lambda: MeanPooled(MLSTM, SLSTM), "norm", "MEAN"),
    "Mamba": family(lambda: Classifier(Mamba, Mamba), "norm"),
    "Mamba, tokens": family(
        lambda: MeanPooled(Mamba, Mamba, tokens=True), "norm", "MEAN", tokens=True
    ),
    "LRU": family(lambda: Classifier(LRU, LRU), "norm"),
    "LRU, states named": family(lambda: Bare(NamedLRU), "layer.states"),
    "S5": family(lambda: MeanPooled(S5, S5), "norm", "MEAN"),
    "S4D": family(lambda: Classifier(S4D, S4D), "norm"),
    "CfC": family(lambda: Bare(CfC), "layer"),
    "CfC, cell": family(lambda: CellLoop(CfCCell), "layer"),
    "CfC, blocks": family(lambda: Classifier(CfC, CfC), "norm"),
    "RWKV": family(lambda: Classifier(RWKV, RWKV), "norm"),
    "linear attention": family(lambda: Classifier(LinearAttention, LinearAttention), "norm"),
}
FAMILIES = TORCH | NAMED
