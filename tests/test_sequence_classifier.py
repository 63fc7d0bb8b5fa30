"""Our network against plain unpadded calls."""

import pytest
import torch
from torch import nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import evaluating
from rnnrepair.sequences import SequenceBatch

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
    with pytest.raises(ConfigurationError, match=rf"SequenceClassifier\.{name}: expected"):
        SequenceClassifier(**{name: value})


@pytest.mark.parametrize(
    ("options", "inputs", "told"),
    [
        ({"input_size": 5}, torch.rand(2, 6, 4), r"5 features a step.*set input_size=4"),
        ({"input_size": 5}, torch.zeros(2, 6).long(), r"reads features.*set vocabulary_size"),
        ({"vocabulary_size": 9}, torch.rand(2, 6, 4), "reads tokens.*features"),
    ],
)
def test_inputs_that_the_network_was_not_made_for_are_refused(options, inputs, told):
    network = SequenceClassifier(num_classes=3, hidden_size=5, **options)
    batch = SequenceBatch(
        torch.arange(2), inputs, torch.tensor([6, 6]), torch.zeros(2, dtype=torch.int64)
    )
    with pytest.raises(ConfigurationError, match=told):
        network.logits(batch)
