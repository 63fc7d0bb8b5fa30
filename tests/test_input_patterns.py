"""Failures gather where values are odd, also where no other sample is as hard as those."""

import torch

from rnnrepair.patterns import InputPatterns, PatternContext, find_patterns, gathering_finders
from rnnrepair.sequences import DataSpec, Kind, SequenceBatch
from rnnrepair.sequences.summaries import summaries_of

N, FIT = 900, 500
SPEC = DataSpec(Kind.SERIES, 3, 2, max_steps=20)


def context(inputs, failed):
    label = torch.arange(N) % 2

    def fetch(index):
        steps = torch.full((len(index),), inputs.shape[1])
        return SequenceBatch(index, inputs[index], steps, label[index])

    fit, rest = torch.arange(FIT), torch.arange(FIT, N)
    return PatternContext(SPEC, fetch, fit, label[fit], rest, label[rest], failed[rest])


def waves(seed=0):
    """Series whose first channel alone tells the class."""
    g = torch.Generator().manual_seed(seed)
    inputs = 0.5 * torch.randn(N, 20, 3, generator=g)
    rate = 0.3 + 0.3 * (torch.arange(N) % 2)
    inputs[..., 0] += (torch.arange(20) * rate[:, None]).sin()
    return inputs, torch.rand(N, generator=g)


def test_dead_channels_are_found_where_they_are_what_makes_samples_hard():
    inputs, place = waves()
    dead = (place < 0.1) & (torch.arange(N) >= FIT)
    inputs[dead, :, 0] = 0
    (found,) = find_patterns(context(inputs, dead & (place < 0.08)), gathering_finders())
    assert found.description == "channel 0 constant, as nowhere in training"
    assert found.inside.tolist() == dead.nonzero()[:, 0].tolist()
    again = InputPatterns().again(context(inputs, dead), found.parameters)
    assert torch.equal(again, dead[FIT:])


def test_values_beyond_those_of_training_are_found_on_either_side():
    for factor, side in ((40.0, "spread of channel 1 above"), (0.01, "spread of channel 1 below")):
        inputs, place = waves()
        odd = (place < 0.1) & (torch.arange(N) >= FIT)
        inputs[odd, :, 1] *= factor
        found = find_patterns(context(inputs, odd), gathering_finders())
        assert found[0].description.startswith(side)
        assert set(found[0].members.tolist()) == set(odd.nonzero()[:, 0].tolist())


def test_channels_that_are_constant_in_training_too_are_no_oddity():
    inputs, place = waves()
    inputs[:, :, 2] = 0
    names = [c.description for c in InputPatterns().candidates(context(inputs, place < 0.1), place)]
    assert not [name for name in names if name.startswith("channel 2 constant")]
    assert "channel 1 constant, as nowhere in training" in names


def test_blocks_of_missing_readings_are_found():
    inputs, place = waves()
    odd = (place < 0.2) & (torch.arange(N) >= FIT)
    inputs[odd, 6:14, 1] = 0
    # Where a reading is missing here and there, it is so in training too.
    inputs[..., 1][torch.rand(N, 20, generator=torch.Generator().manual_seed(5)) < 0.1] = 0
    found = find_patterns(context(inputs, odd & (place < 0.1)), gathering_finders())
    assert found[0].description.startswith("longest run of one value in channel 1 above")
    limit, share = (
        float(found[0].parameters["limit"]),
        found[0].description.split("as in ")[1].split()[0],
    )
    runs = summaries_of(context(inputs, odd).fetch(torch.arange(FIT)), Kind.SERIES)[:, 7]
    assert share == f"{(runs > limit).double().mean():.1%}"
    assert set(found[0].inside.tolist()) >= set(odd.nonzero()[:, 0].tolist())


def test_channels_that_are_constant_in_few_training_samples_are():
    inputs, place = waves()
    inputs[:20, :, 2] = 7
    inputs[:150, :, 1] = 0
    names = [c.description for c in InputPatterns().candidates(context(inputs, place < 0.1), place)]
    assert "channel 2 constant, as in 4.0% of training" in names
    assert not [name for name in names if name.startswith("channel 1 constant")]


def test_a_class_is_named_after_what_only_its_failures_have():
    inputs, place = waves()
    dead = (place < 0.2) & (torch.arange(N) >= FIT)
    inputs[dead, :, 0] = 0
    # A dead channel makes one class of two fail: so does the class, and more surely.
    failed = dead & (torch.arange(N) % 2 == 0)
    (found,) = find_patterns(context(inputs, failed), gathering_finders())
    assert found.description == "channel 0 constant, as nowhere in training"
    assert "class 0" in found.within
    assert [trait.description for trait in found.also] == ["class 0"]


def test_a_class_is_named_where_nothing_else_is():
    inputs, place = waves()
    failed = (place < 0.5) & (torch.arange(N) % 2 == 0)
    (found,) = find_patterns(context(inputs, failed), gathering_finders())
    assert found.description == "class 0"


def test_nothing_is_named_where_failures_are_drawn():
    named = 0
    for seed in range(12):
        inputs, place = waves(seed)
        named += len(find_patterns(context(inputs, place < 0.1), gathering_finders())) > 0
    assert named <= 1


def test_a_class_keeps_all_its_failures_beside_a_pattern_of_another():
    inputs, place = waves()
    odd = (torch.arange(N) % 2 == 1) & (torch.arange(N) >= FIT) & (place < 0.3)
    inputs[odd, :, 1] *= 2
    is_first = torch.arange(N) % 2 == 0
    failed = torch.where(is_first, place < 0.6, torch.where(odd, place < 0.08, place > 0.99))
    found = find_patterns(context(inputs, failed), gathering_finders())
    assert found[0].description == "class 0"
    assert found[0].size == int((failed & is_first)[FIT:].sum())
    assert found[1].description.startswith("spread of channel 1 above")
