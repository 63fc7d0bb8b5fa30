"""What is seen of series: means over equal parts."""

import pytest
import torch

from rnnrepair.influence.labels.series_components import _averaged
from rnnrepair.sequences import SequenceBatch


def batch_of(lengths, n_features=3):
    g = torch.Generator().manual_seed(0)
    n, longest = len(lengths), max(lengths)
    inputs = torch.randn(n, longest, n_features, generator=g)
    return SequenceBatch(torch.arange(n), inputs, torch.tensor(lengths), torch.zeros(n).long())


@pytest.mark.parametrize("n_parts", [1, 2, 3, 4, 7])
def test_parts_are_means_of_as_many_copies_of_each_step(n_parts):
    """A part of a third of eight steps holds each step as often as it overlaps it."""
    batch = batch_of([8, 5, 1])
    found = _averaged(batch, n_parts)
    for row, length in enumerate(batch.lengths.tolist()):
        steps = batch.inputs[row, :length].repeat_interleave(n_parts, 0)
        expected = steps.reshape(n_parts, length, -1).mean(1)
        torch.testing.assert_close(found[row], expected)


def test_where_every_part_is_a_step_nothing_is_averaged():
    """It is what the means of parts would be: the same among sequences of other lengths."""
    batch, mixed = batch_of([6, 6, 6]), batch_of([6, 6, 6, 4])
    mixed.inputs[:3] = batch.inputs
    assert torch.equal(_averaged(batch, 6), batch.inputs)
    torch.testing.assert_close(_averaged(mixed, 6)[:3], batch.inputs)
