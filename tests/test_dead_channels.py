"""Dead channels are found where no other sample is as hard as those that have one."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.edits import apply_edits
from rnnrepair.edits.sweeps import drawn_in, sweep_of
from rnnrepair.patterns import EditPatterns, PatternContext, find_patterns
from rnnrepair.sequences import DataSpec, EditRegion, Kind, SequenceBatch

FIT, N, N_STEPS = 1200, 1800, 30
SPEC = DataSpec(Kind.SERIES, 3, 3, max_steps=N_STEPS)
# Height of the bump in the first channel, and in the second, by class.
BUMPS = torch.tensor([[1.5, 1.5], [1.5, 0.2], [0.2, 1.5]])


def bumps(seed):
    """Noise of three channels with a bump in each of the first two, which tell the class."""
    g = torch.Generator().manual_seed(seed)
    label = torch.randint(3, (N,), generator=g)
    inputs = 0.35 * torch.randn(N, N_STEPS, 3, generator=g)
    time = torch.arange(N_STEPS)
    for channel, (first, last) in enumerate(((2, 12), (14, 24))):
        start = torch.randint(first, last, (N, 1), generator=g)
        inside = (time >= start) & (time < start + 5)
        inputs[..., channel] += inside * BUMPS[label, channel][:, None]
    return inputs, label, torch.rand(N, generator=g)


def context(inputs, label, failed):
    def fetch(index):
        return SequenceBatch(index, inputs[index], torch.full((len(index),), N_STEPS), label[index])

    fit, rest = torch.arange(FIT), torch.arange(FIT, N)
    return PatternContext(SPEC, fetch, fit, label[fit], rest, label[rest], failed[rest])


@pytest.mark.parametrize("seed", range(4))
def test_a_dead_channel_is_found_and_has_exactly_its_samples(seed):
    inputs, label, place = bumps(seed)
    dead = place < torch.where(torch.arange(N) < FIT, 0.01, 0.1)
    inputs[dead, :, 1] = 0
    # Without their second bump, samples of class 0 are like those of class 1; a few others fail.
    failed = (dead & (label == 0)) | (place > 0.99)
    given = context(inputs, label, failed)
    (found,) = find_patterns(given, [EditPatterns()])
    assert found.description == "channel 1 dead"
    assert found.inside.tolist() == (dead.nonzero()[:, 0][dead.nonzero()[:, 0] >= FIT]).tolist()
    assert found.samples.tolist() == dead[:FIT].nonzero()[:, 0].tolist()
    assert torch.equal(EditPatterns().again(given, found.parameters), dead[FIT:])
    # It can be taught: its edits silence that channel, and no other.
    region = EditRegion(str(found.parameters["edit"]), 0.0, 1.0)
    edits = drawn_in(region, 5, SPEC, torch.Generator().manual_seed(0))
    some = given.fetch(torch.arange(FIT)[~dead[:FIT]][:5])
    edited = apply_edits(some.inputs, edits, some.lengths)
    assert (edited == 0).all(1).tolist() == [[False, True, False]] * 5


def test_of_several_dead_channels_all_are_named():
    inputs, label, place = bumps(5)
    dead = (place < 0.1) & (torch.arange(N) >= FIT)
    inputs[dead, :, :2] = 0
    found = find_patterns(context(inputs, label, dead & (label > 0)), [EditPatterns()])
    assert found[0].description == "channels 0 to 1 dead"
    assert len(found) == 1


@pytest.mark.parametrize(
    ("dead_ones", "told", "name"),
    [
        (range(8), "channels 0 to 7 dead", "dead_0-7"),
        ([2, 3, 9, 15], "channels 2, 3, 9 and 15 dead", "dead_2+3+9+15"),
    ],
)
def test_channels_that_are_dead_together_are_all_named_in_groups_or_not(dead_ones, told, name):
    inputs, label, place = bumps(7)
    noise = 0.35 * torch.randn(N, N_STEPS, 17, generator=torch.Generator().manual_seed(8))
    # The second bump is in a channel that dies, the first in one that does not.
    first, second = inputs[..., :1], inputs[..., 1]
    inputs = torch.cat([noise, first, inputs[..., 2:]], 2)
    inputs[..., dead_ones[2]] = second
    dead = (place < 0.1) & (torch.arange(N) >= FIT)
    for channel in dead_ones:
        inputs[dead, :, channel] = 0
    spec = DataSpec(Kind.SERIES, 19, 3, max_steps=N_STEPS)
    given = replace(context(inputs, label, dead & (label < 2)), spec=spec)
    found = find_patterns(given, [EditPatterns()])
    assert found[0].description == told
    assert found[0].parameters["edit"] == name
    assert torch.equal(EditPatterns().again(given, found[0].parameters), dead[FIT:])
    region = EditRegion(name, 0.0, 1.0)
    edits = drawn_in(region, 3, spec, torch.Generator().manual_seed(0))
    edited = apply_edits(inputs[:3], edits, torch.full((3,), N_STEPS))
    silent = (edited == 0).all(1)
    assert silent[0].nonzero()[:, 0].tolist() == [*dead_ones]
    assert bool((silent == silent[0]).all())


def test_names_of_dead_channels_are_read_again_and_others_are_none():
    spec = DataSpec(Kind.SERIES, 9, 3, max_steps=N_STEPS)
    assert sweep_of("dead_1+4+8", spec).dead == (1, 4, 8)
    assert sweep_of("dead_2-5", spec).dead == (2, 3, 4, 5)
    assert sweep_of("speed", spec).parameter == "warp"
    for name in ("dead_2-9", "dead_1+9", "dead_", "dead_1-", "alive_1"):
        assert sweep_of(name, spec) is None
    assert sweep_of("dead_0-1", DataSpec(Kind.IMAGE, 9, 3)) is None


def test_channels_that_are_silent_in_many_training_samples_are_not_dead():
    inputs, label, place = bumps(6)
    inputs[torch.rand(N, generator=torch.Generator().manual_seed(1)) < 0.3, :, 2] = 0
    given = context(inputs, label, place < 0.05)
    candidates = EditPatterns().candidates(given, place[FIT:])
    told = {candidate.description for candidate in candidates if "seen" in candidate.parameters}
    assert "channel 2 dead" not in told
    assert "channel 1 dead" in told


def test_a_channel_that_is_silent_here_and_there_hides_no_other_edit():
    inputs, label, place = bumps(0)
    silent = torch.rand(N, generator=torch.Generator().manual_seed(1)) < 0.04
    inputs[silent, :, 2] = 0
    odd = (place < 0.06) & (torch.arange(N) >= FIT)
    inputs[odd, :, 1] *= -1
    failed = (odd & (place < 0.04)) | (place > 0.97)
    given = context(inputs, label, failed)
    assert "seen" in {
        name for c in EditPatterns().candidates(given, place[FIT:]) for name in c.parameters
    }
    (found,) = find_patterns(given, [EditPatterns()])
    assert found.description == "channel 1 of opposite sign"


def test_channels_that_never_read_anything_are_not_the_dead_ones():
    inputs, label, place = bumps(2)
    inputs[..., 2] = 0
    dead = (place < 0.1) & (torch.arange(N) >= FIT)
    inputs[dead, :, 1] = 0
    (found,) = find_patterns(context(inputs, label, dead), [EditPatterns()])
    assert found.description == "channel 1 dead"


def test_recordings_of_nothing_have_no_dead_channels():
    inputs, label, place = bumps(3)
    empty = (place < 0.1) & (torch.arange(N) >= FIT)
    inputs[empty] = 0
    found = find_patterns(context(inputs, label, empty), [EditPatterns()])
    assert not [pattern for pattern in found if "dead" in pattern.description]
