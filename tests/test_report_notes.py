"""What is told of a network before it is repaired."""

import pytest
import torch

from rnnrepair.callbacks.report_notes import found_notes
from rnnrepair.network import Predictions
from rnnrepair.scores import Monitor


@pytest.mark.parametrize(("n", "few"), [(1, True), (29, True), (30, False)])
def test_few_samples_of_val_are_told(make_data, n, few):
    label = torch.arange(n) % 2
    val = Predictions(torch.arange(n), label, label)
    told = found_notes(make_data(), val, [], Monitor.ACCURACY, "base_steps")
    assert any(f"val holds {n} samples" in text for text in told) is few
