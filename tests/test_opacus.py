"""Gradients of each sample against opacus, which takes them another way."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from rnnrepair.influence import LossGradients, Parts
from tests.gradient_parts import N_CLASSES, N_FEATURES, N_UNITS, exact_batch

pytest.importorskip("opacus", reason="the extra baselines is not installed")


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_gradients_of_each_sample_equal_opacus(kind):
    from opacus import GradSampleModule
    from opacus.layers import DPGRU, DPLSTM, DPRNN

    torch.manual_seed(0)
    layer = getattr(nn, kind)(N_FEATURES, N_UNITS, batch_first=True).double()
    head = nn.Linear(N_UNITS, N_CLASSES).double()
    theirs = {"LSTM": DPLSTM, "GRU": DPGRU, "RNN": DPRNN}[kind](
        N_FEATURES, N_UNITS, batch_first=True
    ).double()
    theirs.load_state_dict(layer.state_dict())
    batch = exact_batch(5)
    batch.lengths[:] = batch.inputs.shape[1]
    network = GradSampleModule(nn.ModuleDict({"rnn": theirs, "head": head}), loss_reduction="sum")
    hidden, _ = network._module["rnn"](batch.inputs)
    logits = network._module["head"](hidden[:, -1])
    cross_entropy(logits, batch.label, reduction="sum").backward()
    found = LossGradients(Parts(layer, head)).gradients(batch)
    for name, parameter in theirs.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad_sample)
    torch.testing.assert_close(found["head.weight"], head.weight.grad_sample)
