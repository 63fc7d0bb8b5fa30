"""Edits of every kind: each as often, each as its sweep draws it, the others as usual."""

import pytest
import torch

from rnnrepair.edits import ImageEdits, RangedEdits, SeriesEdits, SweptEdits, fitted
from rnnrepair.edits.sweeps import sweeps_of
from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import DataSpec, Kind

N = 6000
STILL = ImageEdits(0, 0, (1, 1), 0)
IMAGES = DataSpec(Kind.IMAGE, 28, 2, max_steps=28)


def test_each_kind_is_drawn_as_often_and_over_its_whole_range():
    g = torch.Generator().manual_seed(0)
    drawn = SweptEdits(STILL, share=0.6).fitted(IMAGES).draw(N, g).parameters
    sweeps = sweeps_of(IMAGES)
    each = 0.6 * N / len(sweeps)
    assert int((drawn["inverted"] == 1).sum()) == pytest.approx(each, rel=0.2)
    assert int((drawn["covered"] > 0).sum()) == pytest.approx(4 * each, rel=0.2)
    assert int((drawn["blur"] > 0).sum()) == pytest.approx(each, rel=0.2)
    # Beyond what all swept edits vary by.
    turned = drawn["angle"][drawn["angle"].abs() > 8]
    assert len(turned) == pytest.approx(each * 82 / 90, rel=0.2)
    assert turned.min() < -80
    assert turned.max() > 80
    # The rest is left as it is.
    neutral = torch.stack(
        [
            value == ImageEdits.neutral.get(name, 0)
            for name, value in drawn.items()
            if name != "side"
        ]
    ).all(0)
    assert int(neutral.sum()) == pytest.approx(0.4 * N, rel=0.1)


def test_every_edit_is_applied_as_its_own_family_does():
    g = torch.Generator().manual_seed(1)
    images = torch.rand(200, 28, 28, generator=g)
    family = SweptEdits(ImageEdits()).fitted(IMAGES)
    drawn = family.draw(200, g)
    assert torch.equal(family.apply(images, drawn), ImageEdits().apply(images, drawn))
    one = family.apply(images[7:8], drawn.select(torch.tensor([7])))
    torch.testing.assert_close(one[0], family.apply(images, drawn)[7])
    assert drawn.to_list()[0].name == "image"


def test_series_have_sweeps_of_their_own_and_steps_keep_their_number():
    g = torch.Generator().manual_seed(2)
    family = SweptEdits(SeriesEdits(), share=1.0).fitted(DataSpec(Kind.SERIES, 3, 2, max_steps=20))
    drawn = family.draw(400, g)
    assert family.fits == SeriesEdits().fits
    assert any(name.startswith("spared") for name in drawn.parameters)
    inputs, lengths = torch.rand(400, 20, 3, generator=g), torch.full((400,), 20)
    edited = family.apply(inputs, drawn, lengths)
    assert edited.shape == inputs.shape
    assert ((edited != inputs).flatten(1).any(1)).double().mean() > 0.95


def test_a_share_of_none_is_what_is_usual():
    usual = ImageEdits()
    for seed in range(3):
        own = SweptEdits(usual, share=0.0).fitted(IMAGES)
        own = own.draw(50, torch.Generator().manual_seed(seed))
        plain = usual.draw(50, torch.Generator().manual_seed(seed))
        for name, values in plain.parameters.items():
            assert torch.equal(own.parameters[name], values)


def test_they_are_made_for_the_data_at_hand():
    with pytest.raises(ConfigurationError, match=r"fitted\(edits, spec\)"):
        SweptEdits(SeriesEdits()).draw(3, torch.Generator())
    wide, narrow = (
        fitted(SweptEdits(SeriesEdits(), share=1.0), DataSpec(Kind.SERIES, n, 2)) for n in (6, 3)
    )
    assert len(wide.sweeps) > len(narrow.sweeps)
    wide.apply(torch.rand(300, 9, 6), wide.draw(300, torch.Generator().manual_seed(3)))


def test_families_that_cannot_apply_every_kind_are_refused():
    known = RangedEdits({"angle": (60, 90)}, ImageEdits())
    with pytest.raises(ConfigurationError, match="expected ImageEdits or SeriesEdits"):
        SweptEdits(known)


def test_a_share_above_one_is_refused():
    with pytest.raises(ConfigurationError, match=r"kinds: \['turned'\] are no kinds"):
        SweptEdits(STILL, kinds=["inverted", "turned"]).fitted(IMAGES)
    with pytest.raises(ConfigurationError, match=r"SweptEdits\.share: expected"):
        SweptEdits(STILL, share=1.5)


def test_axes_of_sensors_are_swapped_and_channels_lag_where_there_are_several():
    names = {
        n: {sweep.name for sweep in sweeps_of(DataSpec(Kind.SERIES, n, 2, max_steps=20))}
        for n in (1, 3, 6, 7, 40)
    }
    swaps = {n: {name for name in names[n] if name.startswith("swapped")} for n in names}
    assert swaps[1] == swaps[7] == swaps[40] == set()
    assert swaps[3] == {"swapped_0-1", "swapped_0-2", "swapped_1-2"}
    # All pairs of axes of each of two sensors among them.
    assert {"swapped_3-4", "swapped_3-5", "swapped_4-5"} < swaps[6]
    # The only channel is late where the series is.
    lags = {n: sum(name.startswith("lag_") for name in names[n]) for n in names}
    assert lags == {1: 0, 3: 3, 6: 6, 7: 7, 40: 10}


def test_channels_are_edited_one_by_one_in_parts_and_all_together():
    def swept(kind, n):
        sweeps = sweeps_of(DataSpec(Kind.SERIES, n, 2, max_steps=20))
        names = [sweep.name for sweep in sweeps]
        assert len(names) == len(set(names))
        return {name.removeprefix(kind) for name in names if name.startswith(kind)}

    assert swept("sign_", 1) == {"0-0"}
    assert swept("sign_", 2) == {"0-0", "1-1", "0-1"}
    single = {f"{c}-{c}" for c in range(6)}
    assert swept("sign_", 6) == single | {"0-5", "0-2", "3-5", "0-1", "2-3", "4-5"}
    assert swept("drift_", 6) == swept("offset_", 6) == single | {"0-5"}
    # Nothing at all is the nearest to everything odd.
    assert swept("dead_", 6) == swept("sign_", 6) - {"0-5"}
    # Of twenty, which are looked at in pairs, the quarters are five wide.
    assert {"0-1", "0-4", "0-9", "0-19"} < swept("magnitude_", 20)
    assert all(swept("sign_", n) for n in range(1, 60))
    (whole,) = (s for s in sweeps_of(DataSpec(Kind.SERIES, 6, 2)) if s.name == "sign_0-5")
    assert whole.region(0, 1) == "all channels of opposite sign"


def test_sweeps_know_where_they_change_nothing():
    image, series = DataSpec(Kind.IMAGE, 28, 2, max_steps=28), DataSpec(Kind.SERIES, 3, 2)
    for sweep in sweeps_of(image) + sweeps_of(series):
        if sweep.unchanged is None:
            assert sweep.parameter in {None, "blur", "covered", "dropped", "noise"}
            continue
        (value,) = sweep.at(torch.tensor([sweep.unchanged])).tolist()
        of_factors = sweep.parameter in {"scale", "contrast", "warp", "magnitude"}
        assert value == pytest.approx(1.0 if of_factors else 0.0)


def test_kinds_that_are_named_are_drawn_alone():
    g = torch.Generator().manual_seed(0)
    family = SweptEdits(STILL, share=0.5, kinds=["inverted", "blur"]).fitted(IMAGES)
    drawn = family.draw(2000, g).parameters
    inverted, blurred = drawn["inverted"] > 0, drawn["blur"] > 0
    assert not (inverted & blurred).any()
    for has in (inverted, blurred):
        assert 0.2 < float(has.double().mean()) < 0.3
    turned = drawn["angle"][~inverted & ~blurred]
    assert (turned == 0).all()


def test_a_lag_before_its_time_is_told_as_earlier():
    spec = DataSpec(Kind.SERIES, 2, 2, max_steps=40)
    (lag,) = (sweep for sweep in sweeps_of(spec) if sweep.name == "lag")
    half = lag.at(torch.tensor([0.25])).abs().item()
    assert lag.region(0, 0.25) == f"earlier by {half:.3g} to {-lag.low:.3g} steps"
    assert lag.region(0, 0.5).startswith("earlier by 0 to ")
    assert lag.region(0.25, 0.75).startswith("later by -")


def test_any_channels_may_be_named_dead():
    """What drops bands of channels at random draws."""
    spec = DataSpec(Kind.SERIES, 20, 2, max_steps=6)
    still = SeriesEdits((1, 1), 0, (1, 1), 0, (1, 1))
    chosen = [(3, 3), (5, 11), (0, 19)]
    names = [f"dead_{first}-{last}" for first, last in chosen]
    family = SweptEdits(still, share=1.0, kinds=names).fitted(spec)
    drawn = family.draw(60, torch.Generator().manual_seed(0))
    dead = family.apply(torch.ones(60, 6, 20), drawn).eq(0).all(1)
    found = {tuple(row.nonzero()[[0, -1], 0].tolist()) for row in dead}
    assert found == set(chosen)
    some = SweptEdits(still, share=1.0, kinds=["dead_2+3+9"]).fitted(spec)
    (one,) = some.apply(torch.ones(1, 6, 20), some.draw(1, torch.Generator().manual_seed(0)))
    assert one.eq(0).all(0).nonzero()[:, 0].tolist() == [2, 3, 9]
    for name in ("dead_5-20", "dead_9-5", "dead_2+3-9", "dead_9+1", "dead_1+1", "dead_"):
        with pytest.raises(ConfigurationError, match=r"kinds: \['dead_.* are no kinds of edits"):
            SweptEdits(still, kinds=[name]).fitted(spec)
