"""Small networks of every kind whose gradients are known, in double precision, and batches."""

from dataclasses import replace
from types import SimpleNamespace

import torch
from torch import nn

from rnnrepair.influence import Parts, TrainingView
from rnnrepair.sequences import SequenceBatch

N_FEATURES, N_UNITS, N_CLASSES, N_STEPS, N_TOKENS = 3, 4, 3, 6, 7
KINDS = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn": nn.RNN,
}


def exact_parts(kind="lstm", n_layers=1, *, reads_tokens=False):
    """Parts of a network in double precision: differences are of formulas, not of rounding."""
    torch.manual_seed(0)
    rnn = KINDS[kind](N_FEATURES, N_UNITS, n_layers, batch_first=True).double()
    embedding = nn.Embedding(N_TOKENS, N_FEATURES).double() if reads_tokens else None
    return Parts(rnn, nn.Linear(N_UNITS, N_CLASSES).double(), embedding)


def exact_batch(size, seed=1, *, reads_tokens=False):
    """Ragged sequences; tokens come twice in some, and some are read by none."""
    g = torch.Generator().manual_seed(seed)
    inputs = torch.randn(size, N_STEPS, N_FEATURES, generator=g, dtype=torch.double)
    if reads_tokens:
        inputs = torch.randint(N_TOKENS - 2, (size, N_STEPS), generator=g)
    lengths = torch.randint(1, N_STEPS + 1, (size,), generator=g)
    label = torch.randint(N_CLASSES, (size,), generator=g)
    return SequenceBatch(torch.arange(size), inputs, lengths, label)


def weights_of(parts, layout):
    return layout.flat({name: weight.detach() for name, weight in parts.parameters().items()})


def torchs_logits(parts, weights, layout, batch):
    """Logits by torch's own layers on each sequence alone, at other weights."""
    named = layout.named(weights)
    rnn = {name: weight for name, weight in named.items() if "." not in name}
    head = {name[5:]: weight for name, weight in named.items() if name.startswith("head.")}
    rows = []
    for inputs, length in zip(batch.inputs, batch.lengths, strict=True):
        x = inputs[None, :length]
        if parts.embedding is not None:
            x = nn.functional.embedding(x, named["embedding.weight"])
        hidden, _ = torch.func.functional_call(parts.rnn, rnn, (x,))
        rows.append(torch.func.functional_call(parts.head, head, (hidden[:, -1],)))
    return torch.cat(rows)


class ExactNet(nn.Module):
    """A module of these parts."""

    def __init__(self, parts):
        super().__init__()
        self.embedding, self.rnn, self.head = parts.embedding, parts.rnn, parts.head


def exact_view(parts, batch, make_traces, make_model):
    """A view of the sequences of a batch, whose indices are no row numbers, and how it fetches."""
    n = len(batch)
    index = 50 + 3 * torch.randperm(n, generator=torch.Generator().manual_seed(9))
    row = torch.full((int(index.max()) + 1,), -1)
    row[index] = torch.arange(n)

    def fetch(wanted):
        found = batch.rows(row[wanted])
        return replace(found, index=wanted)

    traces = replace(make_traces(batch.lengths.tolist()), index=index, label=batch.label)
    network = SimpleNamespace(module=ExactNet(parts))
    return TrainingView(traces, make_model(), n, network, fetch)
