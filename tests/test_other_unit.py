"""Channels in another unit are told by mean and spread, with the factor or the offset."""

import pytest
import torch

from rnnrepair.patterns import Pattern, other_unit
from rnnrepair.sequences import DataSpec, Kind, SequenceBatch

SPEC = DataSpec(Kind.SERIES, 2, 2, channel_names=("pressure", "heat"))
TRAINING, ODD = torch.arange(600), torch.arange(600, 660)


def told_of(change, channel, spec=SPEC):
    """Return what is told of samples in which a channel is changed; pascals, and kelvins."""
    g = torch.Generator().manual_seed(0)
    recordings = torch.tensor([60.0, 2.0]) * torch.randn(660, 1, 2, generator=g)
    inputs = torch.tensor([101_325.0, 300.0]) + recordings
    inputs = inputs + torch.tensor([80.0, 3.0]) * torch.randn(660, 20, 2, generator=g)
    inputs[ODD, :, channel] = change(inputs[ODD, :, channel])

    def fetch(index):
        n = len(index)
        return SequenceBatch(index, inputs[index], torch.full((n,), 20), torch.zeros(n).long())

    found = Pattern("group", "site 5", ODD, ODD, 0.5, 0.0, 0.002, {"column": "site"}, ODD)
    return other_unit(spec, fetch, TRAINING, found)


@pytest.mark.parametrize(
    ("change", "channel", "told"),
    [
        (lambda x: x / 1000, 0, "channel pressure reads 0.001"),
        (lambda x: x * 10, 0, "channel pressure reads 10"),
        (lambda x: x - 273.15, 1, "channel heat reads 273"),
        (lambda x: x + 900, 1, "channel heat reads 900 higher"),
    ],
)
def test_a_factor_of_both_or_an_offset_with_the_same_spread_is_told(change, channel, told):
    found = told_of(change, channel)
    assert found.startswith("Perhaps in another unit, or amplified otherwise: ")
    assert found.removeprefix("Perhaps in another unit, or amplified otherwise: ").startswith(told)
    assert found.count("channel") == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: x + 10,  # within what recordings differ by
        lambda x: 101_325 + 5 * (x - 101_325),  # swings further, around the same
        lambda x: 0 * x,
        lambda x: x.mean(1, keepdim=True) + 0 * x,
        lambda x: -x,
    ],
)
def test_nothing_is_told_of_other_changes(change):
    assert told_of(change, 0) == ""


def test_nothing_is_told_of_images():
    assert told_of(lambda x: x * 10, 0, DataSpec(Kind.IMAGE, 2, 2)) == ""
