"""Our network, and foreign ones behind the adapter, against plain unpadded calls."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnrepair.errors import ConfigurationError
from rnnrepair.models import RecurrentAdapter, SequenceClassifier, as_recurrent
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import evaluating

RAGGED, UNIFORM = [3, 6, 1, 4], [6, 6, 6, 6]
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def batch_of(lengths, n_steps=6):
    g = torch.Generator().manual_seed(0)
    n = len(lengths)
    return SequenceBatch(
        torch.arange(n),
        torch.randn(n, n_steps, 4, generator=g),
        torch.tensor(lengths),
        torch.arange(n) % 3,
    )


def assert_traces(output, batch, rnn, head):
    """Each sequence alone and unpadded must give the same states and logits."""
    assert torch.equal(output.lengths, batch.lengths)
    assert output.hidden.shape[:2] == batch.inputs.shape[:2]
    for i, (x, length) in enumerate(zip(batch.inputs, batch.lengths, strict=True)):
        alone = x[:length, None] if not rnn.batch_first else x[None, :length]
        hidden = rnn(alone)[0].squeeze(0 if rnn.batch_first else 1)
        torch.testing.assert_close(output.hidden[i, :length], hidden, atol=1e-6, rtol=1e-5)
        logits = head(hidden)
        torch.testing.assert_close(output.step_logits[i, :length], logits, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(output.logits[i], logits[-1], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lengths", [RAGGED, UNIFORM, [4, 4, 4, 4]])
@pytest.mark.parametrize("layers", [1, 2])
def test_classifier_traces_as_if_every_sequence_were_alone(cell, lengths, layers):
    torch.manual_seed(0)
    network = SequenceClassifier(4, 3, cell, 5, layers, dropout=0.4)
    batch = batch_of(lengths)
    batch.inputs[~batch.mask] = 1e6  # padding never enters the recurrence
    with evaluating(network):
        assert_traces(network.trace(batch), batch, network.rnn, network.head)
        assert torch.equal(network(batch).logits, network.trace(batch).logits)
    assert isinstance(network.rnn, CELLS[cell])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cell", "lstmm"),
        ("input_size", 0),
        ("hidden_size", 0),
        ("num_layers", 0),
        ("num_classes", 1),
        ("dropout", 1.0),
        ("dropout", -0.1),
    ],
)
def test_classifier_names_the_key_when_an_option_is_out_of_range(name, value):
    with pytest.raises(ConfigurationError, match=rf"model\.{name}"):
        SequenceClassifier(**{name: value})


class Foreign(nn.Module):
    """A classifier of somebody else."""

    def __init__(self, kind, packs=False, batch_first=True, **options):
        super().__init__()
        self.core = kind(4, 5, batch_first=batch_first, **options)
        width = self.core.proj_size or 5
        self.out = nn.Linear(width * (2 if self.core.bidirectional else 1), 3)
        self.packs = packs


class Plain(Foreign):
    def forward(self, x):
        x = x if self.core.batch_first else x.transpose(0, 1)
        hidden, _ = self.core(x)
        return self.out(hidden[:, -1] if self.core.batch_first else hidden[-1])


class WithLengths(Foreign):
    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        hidden, _ = self.core(packed)
        hidden, _ = pad_packed_sequence(hidden, batch_first=True)
        return self.out(hidden[torch.arange(len(x)), lengths - 1])


class WithOptions(Foreign):
    def forward(self, x, temperature=1.0, **options):
        return self.out(self.core(x)[0][:, -1]) / temperature


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("model", [Plain, WithLengths, WithOptions])
@pytest.mark.parametrize("lengths", [RAGGED, UNIFORM, [3, 2, 1, 3]])
def test_adapter_traces_as_if_every_sequence_were_alone(kind, model, lengths):
    torch.manual_seed(0)
    module = model(kind).eval()
    batch = batch_of(lengths)
    with torch.no_grad():
        output = RecurrentAdapter(module).trace(batch)
        assert_traces(output, batch, module.core, module.out)
        if model is WithLengths:
            torch.testing.assert_close(output.logits, module(batch.inputs, batch.lengths))
        elif lengths is UNIFORM:
            torch.testing.assert_close(output.logits, module(batch.inputs))


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (Plain, {"batch_first": False}),
        (Plain, {"num_layers": 2}),
        (Plain, {"proj_size": 2}),
        (WithLengths, {"num_layers": 2, "proj_size": 2}),
        (WithLengths, {"bidirectional": True}),
        (WithLengths, {"bidirectional": True, "proj_size": 2}),
    ],
)
def test_adapter_finds_the_layers_when_they_have_options(model, options):
    torch.manual_seed(0)
    module = model(nn.LSTM, **options).eval()
    batch = batch_of(RAGGED)
    with torch.no_grad():
        assert_traces(RecurrentAdapter(module).trace(batch), batch, module.core, module.out)


def test_adapter_leaves_no_hook_behind_even_when_the_module_fails():
    module = Plain(nn.GRU)
    RecurrentAdapter(module).trace(batch_of(UNIFORM))
    broken = batch_of(UNIFORM)
    broken.inputs = broken.inputs[:, :, :2]
    with pytest.raises(RuntimeError):
        RecurrentAdapter(module).trace(broken)
    assert not module.core._forward_hooks


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.GRU(4, 5, batch_first=True), nn.GRU(5, 5, batch_first=True)
        self.out, self.other = nn.Linear(5, 3), nn.Linear(5, 3)

    def forward(self, x):
        return self.out(self.second(self.first(x)[0])[0][:, -1])


class Twice(Plain):
    def forward(self, x):
        return super().forward(x) + super().forward(x)


def test_adapter_takes_the_named_layers_when_several_fit():
    module = Two().eval()
    with torch.no_grad():
        batch = batch_of(UNIFORM)
        output = RecurrentAdapter(module, "second", "out").trace(batch)
        torch.testing.assert_close(output.logits, module(batch.inputs))


@pytest.mark.parametrize(
    ("module", "names", "message"),
    [
        (Two(), {}, "2 layers.*rnn.*first.*second"),
        (Two(), {"rnn": "second"}, "2 layers.*head.*other.*out"),
        (Two(), {"rnn": "third"}, "rnn='third'.*first.*second"),
        (Two(), {"rnn": "out"}, "no fitting layer"),
        (nn.Linear(5, 3), {}, "0 layers"),
    ],
)
def test_adapter_says_what_fits_when_the_choice_is_not_clear(module, names, message):
    with pytest.raises(ConfigurationError, match=message):
        RecurrentAdapter(module, **names)


def test_adapter_refuses_when_the_layer_runs_twice():
    with pytest.raises(ConfigurationError, match="2 times"):
        RecurrentAdapter(Twice(nn.GRU)).trace(batch_of(UNIFORM))


def test_module_is_its_own_view_when_it_can_trace():
    network = SequenceClassifier(4, 3)
    assert as_recurrent(network) is network
    assert isinstance(as_recurrent(Plain(nn.GRU)), RecurrentAdapter)


class Pooling(nn.Module):
    """Classifies the mean of all states, which no head on the last one can reproduce."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, inputs):
        return self.head(self.rnn(inputs)[0].mean(1))


def test_adapter_refuses_a_module_whose_output_is_not_its_head_on_the_last_state():
    torch.manual_seed(0)
    lengths = torch.full((5,), 6)
    batch = SequenceBatch(torch.arange(5), torch.randn(5, 6, 3), lengths, torch.zeros(5).long())
    with pytest.raises(ConfigurationError, match="pools, normalises"):
        RecurrentAdapter(Pooling()).trace(batch)
