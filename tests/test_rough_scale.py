"""Series in whatever units: edits, comparisons and what people read are those of scaled ones."""

import pytest
import torch

from rnnrepair.datamodules import ArrayDataModule
from rnnrepair.edits import EditBatch, RangedEdits, SeriesEdits, SweptEdits, apply_edits, fitted
from rnnrepair.edits.spreads import spreads_in, spreads_of
from rnnrepair.edits.sweeps import sweeps_of
from rnnrepair.errors import ConfigurationError, IncompatibleCheckpointError, SettingsError
from rnnrepair.made_with import described
from rnnrepair.patterns.vectors import vectors_of
from rnnrepair.sequences import DataSpec, Kind, RoughScale, SequenceBatch, fetching_scaled

MIDDLE, SPREAD = (960.0, 0.0, -2.0), (32.0, 1 / 1024, 0.25)
SCALED = DataSpec(Kind.SERIES, 3, 2, max_steps=12)


def raw_spec():
    return DataSpec(Kind.SERIES, 3, 2, max_steps=12, scale=RoughScale(MIDDLE, SPREAD))


def series(n=40, seed=0):
    """Return scaled (n, 12, 3) series, and the same in units of their own."""
    scaled = torch.randn(n, 12, 3, generator=torch.Generator().manual_seed(seed))
    # Eighths are exact in any unit.
    scaled = (8 * scaled).round() / 8
    return scaled, scaled * torch.tensor(SPREAD) + torch.tensor(MIDDLE)


def batch_of(inputs, lengths=None):
    n = len(inputs)
    lengths = torch.full((n,), inputs.shape[1]) if lengths is None else lengths
    return SequenceBatch(torch.arange(n), inputs, lengths, torch.zeros(n, dtype=torch.int64))


def test_it_is_found_in_the_steps_and_is_none_of_what_is_scaled():
    scaled, raw = series(2000)
    assert RoughScale.of(scaled.flatten(0, 1)) is None
    found = RoughScale.of(raw.flatten(0, 1))
    assert found == RoughScale(MIDDLE, SPREAD)
    torch.testing.assert_close(found.scaled(raw), scaled)
    nearly = scaled.flatten(0, 1) * torch.tensor([0.6, 1.0, 1.8]) + torch.tensor([0.9, 0.0, -0.9])
    assert RoughScale.of(nearly) is None
    assert RoughScale.of(nearly * torch.tensor([1.0, 1.0, 2.0])) is not None


def test_a_few_recordings_in_another_unit_have_no_say():
    g = torch.Generator().manual_seed(6)
    recording = torch.arange(20_000) // 100
    pascals = 101_325 + 100 * torch.randn(20_000, 2, generator=g)
    usual = RoughScale.of(pascals, recording)
    assert usual.spread == (128.0, 128.0)
    odd = pascals.clone()
    odd[torch.isin(recording, torch.tensor([3, 70, 180])), 1] /= 1000
    assert RoughScale.of(odd, recording) == usual
    assert RoughScale.of(odd).spread[1] > 10_000
    # What comes in bursts is as wide as these, where many recordings have one.
    bursts = (torch.rand(20_000, 1, generator=g) < 0.02).float() * 1000
    assert RoughScale.of(bursts, recording) == RoughScale.of(bursts)


@pytest.mark.parametrize("n", [5, 20, 49])
def test_one_of_few_recordings_in_another_unit_has_no_say(n):
    g = torch.Generator().manual_seed(6)
    recording = torch.arange(n * 100) // 100
    pascals = 101_325 + 100 * torch.randn(n * 100, 1, generator=g)
    odd = pascals.clone()
    odd[recording == 3] /= 1000
    assert RoughScale.of(odd, recording) == RoughScale.of(pascals, recording)


def test_a_channel_that_is_there_in_few_recordings_is_as_wide_as_it_is_there():
    recording = torch.arange(20_000) // 100
    values = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(7))
    values[:, 1] *= 1000 * torch.isin(recording, torch.tensor([8, 30]))
    found = RoughScale.of(values, recording)
    assert found.spread == RoughScale.of(values).spread
    assert found.spread[1] == 128


def test_who_knows_that_channels_are_dead_reads_nothing_in_them():
    _, raw = series()
    knows = RangedEdits({"magnitude": (0, 0)}, SeriesEdits(), share=0.5, spared={"magnitude": [1]})
    edits = fitted(knows, raw_spec()).draw(40, torch.Generator().manual_seed(1))
    edited = knows.apply(raw, edits)
    dead = edits.parameters["magnitude"] == 0
    assert 10 < int(dead.sum()) < 30
    # Noise is added to them as to all.
    assert torch.equal(edited[..., 0].abs().amax(1) < 10, dead)
    # What is usual stays around the middle.
    assert float((edited[~dead][..., 0] - raw[~dead][..., 0]).abs().max()) < 200


def test_values_are_as_many_times_as_far_from_their_middle():
    _, raw = series()
    family = fitted(SeriesEdits((3, 3), 0, (1, 1), 0), raw_spec())
    edits = family.draw(40, torch.Generator().manual_seed(1))
    middle = torch.tensor(MIDDLE)
    torch.testing.assert_close(family.apply(raw, edits), middle + 3 * (raw - middle))
    of_three = fitted(SeriesEdits(spreads=[1.0]), raw_spec()).draw(2, torch.Generator())
    with pytest.raises(ConfigurationError, match="middles are given up to channel 2"):
        SeriesEdits().apply(raw[:2, :, :2], of_three)
    # What is not far from 0 may have its zero there: half of nothing is nothing.
    assert RoughScale((1.0, 20.0), (0.5, 4.0)).origin == (0.0, 20.0)
    with pytest.raises(SettingsError, match="each must be a finite number"):
        SeriesEdits(middles=[0.0, float("nan")])


def test_channels_that_never_change_are_as_wide_as_what_they_read():
    values = torch.tensor([[1000.0, 0.0, 5.0], [1000.0, 0.0, 6.0]])
    found = RoughScale.of(values)
    assert found.spread == (1024.0, 1.0, 0.5)
    assert found.middle == (1024.0, 0.0, 5.5)


def test_data_modules_tell_the_scale_of_their_training_series_without_padding():
    _, raw = series(300)
    lengths = torch.randint(4, 13, (300,), generator=torch.Generator().manual_seed(1))
    raw[torch.arange(12) >= lengths[:, None]] = 1e6
    label = torch.arange(300) % 2
    data = ArrayDataModule(raw, label, lengths=lengths)
    data.setup("fit")
    assert data.spec.scale.spread == SPREAD
    assert data.spec.scale.middle == MIDDLE
    torch.testing.assert_close(data.spec.scale.scaled(raw[0, :4]), series(300)[0][0, :4])


def test_edits_go_on_in_the_units_that_they_were_drawn_in_or_not_at_all():
    scaled, raw = series(300)
    label = torch.arange(300) % 2
    data = ArrayDataModule(raw, label)
    data.setup("fit")
    state = data.state_dict()
    again = ArrayDataModule(raw, label)
    again.setup("fit")
    again.load_state_dict(state)
    # As versions wrote it that drew edits in the units of the data.
    del state["scale"]
    with pytest.raises(IncompatibleCheckpointError, match=r"scale was None, it is .*960\.0"):
        again.load_state_dict(state)
    state["scale"] = described(RoughScale((960.0, 0.0, -2.0), (256.0, 1 / 1024, 0.25)))
    with pytest.raises(IncompatibleCheckpointError, match=r"scale was .*256\.0"):
        again.load_state_dict(state)
    # As much as rounding may do, where items differ each time they are asked for.
    state["scale"] = described(RoughScale((960.0, 0.0, -2.0), (64.0, 1 / 1024, 0.25)))
    again.load_state_dict(state)
    unscaled = ArrayDataModule(scaled, label)
    unscaled.setup("fit")
    state = unscaled.state_dict()
    assert state.pop("scale") is None
    unscaled.load_state_dict(state)


def test_spreads_are_kept_in_few_numbers_and_read_again():
    spreads = [2.0**power for power in range(-31, 32)]
    kept = spreads_of(spreads, 2)
    assert len(kept) == 8
    assert all(float(value[0]).is_integer() and value[0] < 2**53 for value in kept.values())
    assert spreads_in(kept, 63).tolist() == [spreads, spreads]
    assert spreads_of([1.0, 1.2, 0.9], 2) == {}
    # What lies beyond is kept as far as it can be.
    assert spreads_in(spreads_of([1e30, 1e-30], 1), 2).tolist() == [[2.0**31, 2.0**-31]]
    with pytest.raises(ConfigurationError, match="up to channel 62, the series have channels 0"):
        spreads_in(kept, 3)


@pytest.mark.parametrize(
    "family",
    [
        SeriesEdits((0.5, 2), noise=0.5, drift=1.0, offset=2.0, spared={"offset": [1]}),
        RangedEdits({"drift": (1, 2), "noise": (0.2, 0.4)}, SeriesEdits((0.9, 1.1))),
    ],
)
def test_edits_change_series_of_any_unit_as_they_change_scaled_ones(family):
    scaled, raw = series()
    made, expected = (
        fitted(family, spec).draw(40, torch.Generator().manual_seed(2))
        for spec in (raw_spec(), SCALED)
    )
    for name, values in expected.parameters.items():
        assert torch.equal(made.parameters[name], values)
    edited = raw_spec().scale.scaled(family.apply(raw, made))
    torch.testing.assert_close(edited, family.apply(scaled, expected), atol=1e-4, rtol=1e-4)
    # The edit tells the spreads itself: whoever reads a ledger needs to know nothing else.
    assert torch.equal(
        apply_edits(raw, EditBatch.of(made.to_list()), torch.full((40,), 12)),
        family.apply(raw, made),
    )


def test_spreads_of_ones_own_stay():
    family = fitted(SeriesEdits(spreads=[4.0, 4.0, 4.0]), raw_spec())
    assert family.spreads == [4.0, 4.0, 4.0]
    around = fitted(SeriesEdits(middles=[]), raw_spec())
    assert around.spreads == raw_spec().scale.spread
    assert not [name for name in around.draw(3, torch.Generator()).parameters if "middle" in name]
    assert fitted(SeriesEdits(), SCALED).draw(3, torch.Generator()).parameters.keys() == (
        SeriesEdits().draw(3, torch.Generator()).parameters.keys()
    )
    with pytest.raises(SettingsError, match="a finite number above 0"):
        SeriesEdits(spreads=[1.0, 0.0])


def test_edits_that_are_searched_are_of_the_size_of_the_data():
    scaled, raw = series()
    for name, sweep in {s.name: s for s in sweeps_of(raw_spec())}.items():
        (same,) = (s for s in sweeps_of(SCALED) if s.name == name)
        if sweep.parameter not in {"noise", "drift", "offset", "magnitude"}:
            assert sweep.region(0, 1) == same.region(0, 1)
        # No reading, one of the other sign and that of another channel are not of any unit.
        if sweep.name.startswith(("dead", "sign", "swapped")):
            continue
        place = torch.linspace(0, 1, 40, dtype=torch.float64)
        made, expected = (of.draw(place, torch.Generator().manual_seed(3)) for of in (sweep, same))
        lengths = torch.full((40,), 12)
        edited = raw_spec().scale.scaled(apply_edits(raw, made, lengths))
        torch.testing.assert_close(
            edited, apply_edits(scaled, expected, lengths), atol=1e-4, rtol=1e-4
        )


def test_people_read_sizes_in_the_units_of_the_data():
    told = {sweep.name: sweep.region(0.75, 1) for sweep in sweeps_of(raw_spec())}
    assert told["offset_0-0"] == "channel 0 higher by 48 to 96"
    assert told["drift_1-1"] == "channel 1 drifting from end to end by 0.00146 to 0.00293"
    assert told["offset_0-2"] == "all channels higher by 1.5 to 3 times each channel's spread"
    assert told["noise"] == "noise of 0.946 to 2 times each channel's spread"
    assert told["magnitude_0-0"] == "channel 0 swinging 1.89 to 4 times as far"
    assert told["magnitude_1-1"] == "channel 1 times 1.89 to 4"
    assert told["dead_0-0"] == "channel 0 dead"
    alike = DataSpec(Kind.SERIES, 2, 2, scale=RoughScale((0.0, 0.0), (4.0, 4.0)))
    told = {sweep.name: sweep.region(0.75, 1) for sweep in sweeps_of(alike)}
    assert told["noise"] == "noise of 3.78 to 8"
    assert told["offset_0-1"] == "all channels higher by 6 to 12"


def test_every_kind_of_edit_is_drawn_in_the_spreads_of_the_data():
    _, raw = series(400)
    family = fitted(SweptEdits(SeriesEdits(), share=1.0), raw_spec())
    drawn = family.draw(400, torch.Generator().manual_seed(4))
    edited = family.apply(raw, drawn)
    noisy = drawn.parameters["noise"] > 0.1
    moved = (edited - raw)[noisy].abs().amax((0, 1))
    # Three deviations of the largest noise and more, in no channel much more.
    assert (moved / torch.tensor(SPREAD) < 20).all()


def test_series_are_compared_as_scaled_ones():
    scaled, raw = series()
    lengths = torch.randint(4, 13, (40,), generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(
        vectors_of(batch_of(raw, lengths), raw_spec(), 12),
        vectors_of(batch_of(scaled, lengths), SCALED, 12),
    )
    fetch = fetching_scaled(lambda index: batch_of(raw[index]), raw_spec().scale)
    torch.testing.assert_close(fetch(torch.tensor([3, 1])).inputs, scaled[[3, 1]])


def test_no_zero_is_negative_whether_others_are_noisy_or_not():
    inputs = torch.tensor([[[1.0], [-1.0]]]).repeat(2, 1, 1)
    edits = SeriesEdits((1, 1), 0, (1, 1), 0.5).draw(2, torch.Generator().manual_seed(0))
    edits.parameters["magnitude"] *= 0
    for noise in (0.0, 0.5):
        edits.parameters["noise"] = torch.tensor([0.0, noise], dtype=torch.float64)
        edited = SeriesEdits().apply(inputs, edits)
        assert edited[0].tolist() == [[0.0], [0.0]]
        assert not bool(edited[0].signbit().any())
        assert bool(edited[1].any()) == (noise > 0)
