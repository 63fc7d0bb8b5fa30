"""Cells step by step against torch's own layers."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnrepair.network import run_cells

N_GATES = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 0}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *((kind, {}) for kind in N_GATES),
        *((kind, {"bias": False}) for kind in N_GATES),
        (nn.LSTM, {"proj_size": 3}),
        (nn.RNN, {"nonlinearity": "relu"}),
    ],
)
def test_all_layers_and_directions_are_torchs_own(kind, options, bidirectional):
    torch.manual_seed(0)
    layer = kind(4, 5, 2, batch_first=True, bidirectional=bidirectional, **options)
    inputs, lengths = torch.randn(6, 9, 4), torch.tensor([9, 9, 7, 4, 2, 1])
    packed = pack_padded_sequence(inputs, lengths, batch_first=True)
    with torch.no_grad():
        output, final = layer(packed)
        found = run_cells(layer, inputs, lengths)
    output, _ = pad_packed_sequence(output, batch_first=True)
    hidden, cell = final if kind is nn.LSTM else (final, None)
    top = torch.cat([states.hidden for states in found[-2 if bidirectional else -1 :]], -1)
    real = torch.arange(9) < lengths[:, None]
    torch.testing.assert_close(top[real], output[real], rtol=1e-5, atol=1e-5)
    rows = torch.arange(6)
    for number, states in enumerate(found):
        backward = bidirectional and number % 2
        last = torch.zeros_like(lengths) if backward else lengths - 1
        torch.testing.assert_close(states.hidden[rows, last], hidden[number], rtol=1e-5, atol=1e-5)
        if cell is not None:
            torch.testing.assert_close(states.cell[rows, last], cell[number], rtol=1e-5, atol=1e-5)
        assert states.gates.shape[2] == N_GATES[kind]
