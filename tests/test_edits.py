"""Edits of images, series and tokens: what they do, and that they can be repeated."""

import math

import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from rnnrepair.edits import (
    Edit,
    EditBatch,
    ImageEdits,
    RangedEdits,
    SeriesEdits,
    TokenEdits,
    apply_edits,
    check_hidden,
)
from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import DataSpec, Kind, check_fits

FAMILIES = {
    "image": ImageEdits(),
    "image with all": ImageEdits(contrast=(0.5, 1.2), blur=1.0, noise=0.1, covered=0.5),
    "series": SeriesEdits(),
    "series with all": SeriesEdits(
        local_warp=(0.8, 1.2),
        dropped=0.3,
        rotation=40,
        drift=0.5,
        offset=0.5,
        spared={"noise": [0, 27], "shift": [3], "local_warp": [4], "rotation": [8], "dropped": [1]},
    ),
    "known of images": RangedEdits(
        {"angle": (60, 90), "inverted": (1, 1), "covered": (0.2, 0.4)}, ImageEdits()
    ),
    "known of series": RangedEdits(
        {"magnitude": (0, 0), "warp": (0.5, 0.6)}, SeriesEdits(), 0.5, {"magnitude": [0, 27]}
    ),
}
LEFT_ALONE = {"angle": 0.0, "right": 0.0, "down": 0.0, "scale": 1.0, "shear": 0.0}
SERIES_LEFT_ALONE = {"magnitude": 1.0, "shift": 0, "warp": 1.0, "noise": 0.0, "noise_seed": 3.0}


@pytest.fixture
def images():
    return torch.rand(5, 28, 28, generator=torch.Generator().manual_seed(0))


def same(n, name, parameters):
    """One edit, n times."""
    return EditBatch.of([Edit(name, parameters)] * n)


def image_edit(n=5, **changes):
    return same(n, "image", LEFT_ALONE | changes)


def series_edit(n=3, **changes):
    return same(n, "series", SERIES_LEFT_ALONE | changes)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_edit_is_the_same_bit_for_bit_when_applied_alone_or_in_a_batch(family, images):
    edits = family.draw(5, torch.Generator().manual_seed(1))
    together = family.apply(images, edits)
    rebuilt = [
        family.apply(image[None], EditBatch.of([edit]))
        for image, edit in zip(images, edits.to_list(), strict=True)
    ]
    assert torch.equal(together, torch.cat(rebuilt))
    assert together.shape == images.shape
    assert together.dtype == images.dtype
    assert not any(torch.equal(a, b) for a, b in zip(together, images, strict=True))


@pytest.mark.parametrize("name", FAMILIES)
def test_edit_is_the_same_bit_for_bit_beside_longer_ones(name, images):
    family, lengths = FAMILIES[name], torch.tensor([20, 28, 11, 20, 28])
    padding = torch.arange(28) >= lengths[:, None]
    images = images.masked_fill(padding[..., None], 0)
    edits = family.draw(5, torch.Generator().manual_seed(1))
    together = family.apply(images, edits, lengths)
    assert torch.equal(together[padding], images[padding])
    for row, (length, edit) in enumerate(zip(lengths.tolist(), edits.to_list(), strict=True)):
        alone = EditBatch.of([edit]), lengths[row : row + 1]
        parent = images[row : row + 1, :length]
        assert torch.equal(together[row, :length], family.apply(parent, *alone)[0])


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_edit_changes_neither_parents_nor_global_random_state(family, images):
    before, state = images.clone(), torch.get_rng_state()
    family.apply(images, family.draw(5, torch.Generator().manual_seed(1)))
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_draw_depends_on_the_generator_alone(family):
    def draw(seed):
        return family.draw(3, torch.Generator().manual_seed(seed)).to_list()

    assert draw(0) == draw(0)
    assert draw(0) != draw(1)
    assert len({str(edit) for edit in draw(0)}) == 3


def test_edits_survive_being_taken_apart():
    edits = FAMILIES["image with all"].draw(7, torch.Generator().manual_seed(0))
    again = EditBatch.of(edits.to_list())
    assert again.name == edits.name
    assert all(torch.equal(again.parameters[k], v) for k, v in edits.parameters.items())
    rows = torch.tensor([4, 1])
    assert edits.select(rows).to_list() == [edits.to_list()[4], edits.to_list()[1]]


def test_draw_stays_within_the_limits_when_all_edits_are_on():
    family = ImageEdits(10, 3, (0.8, 1.5), 5, (0.7, 1.1), 0.6, 0.2)
    drawn = family.draw(1000, torch.Generator().manual_seed(0)).parameters
    limits = {
        "angle": (-10, 10),
        "right": (-3, 3),
        "down": (-3, 3),
        "scale": (0.8, 1.5),
        "shear": (-5, 5),
        "contrast": (0.7, 1.1),
        "blur": (0, 0.6),
        "noise": (0, 0.2),
    }
    for name, (low, high) in limits.items():
        values = drawn[name]
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high


def test_affine_edits_are_those_of_torchvision_image_by_image(images):
    edits = ImageEdits(180, 5, (0.5, 1.5), 40).draw(5, torch.Generator().manual_seed(2))
    ours = FAMILIES["image"].apply(images, edits)
    for image, edit, found in zip(images, edits.to_list(), ours, strict=True):
        p = edit.parameters
        expected = transforms.affine(
            image[None, None],
            angle=p["angle"],
            translate=[p["right"], p["down"]],
            scale=p["scale"],
            shear=[p["shear"], 0.0],
            interpolation=InterpolationMode.BILINEAR,
        )[0, 0]
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)


def test_contrast_and_blur_are_those_of_torchvision_image_by_image(images):
    factors, deviations = [0.5, 0.8, 1.0, 1.3, 2.0], [0.05, 0.3, 0.7, 1.0, 2.0]
    edits = EditBatch.of(
        [
            Edit("image", LEFT_ALONE | {"contrast": factor, "blur": deviation})
            for factor, deviation in zip(factors, deviations, strict=True)
        ]
    )
    ours = FAMILIES["image"].apply(images, edits)
    for image, factor, deviation, found in zip(images, factors, deviations, ours, strict=True):
        expected = transforms.adjust_contrast(image[None, None], factor)
        if deviation > 0.1:  # below, the kernel is a single pixel
            expected = transforms.gaussian_blur(expected, [5, 5], [deviation, deviation])
        torch.testing.assert_close(found, expected[0, 0], atol=1e-5, rtol=0)


def test_image_is_left_alone_when_nothing_is_edited(images):
    torch.testing.assert_close(FAMILIES["image"].apply(images, image_edit()), images)


@pytest.mark.parametrize(("right", "down"), [(2, 0), (0, -3), (-1, 2)])
def test_image_moves_by_whole_pixels_when_translated(images, right, down):
    moved = FAMILIES["image"].apply(images, image_edit(right=float(right), down=float(down)))
    expected = torch.zeros_like(images)
    for row in range(28):
        for column in range(28):
            if 0 <= row - down < 28 and 0 <= column - right < 28:
                expected[:, row, column] = images[:, row - down, column - right]
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=1e-5)


def test_image_turns_about_its_true_centre_when_rotated(images):
    """The original turned about (14, 14), half a pixel off."""
    turned = FAMILIES["image"].apply(images, image_edit(angle=90.0))
    torch.testing.assert_close(turned, images.rot90(-1, (1, 2)), atol=1e-4, rtol=0)


def test_image_keeps_its_range_when_noise_and_contrast_are_large(images):
    family = ImageEdits(contrast=(3, 3), noise=5)
    edited = family.apply(images, family.draw(5, torch.Generator().manual_seed(0)))
    assert edited.min() >= 0
    assert edited.max() <= 1


def test_a_rotation_that_can_change_labels_is_allowed_and_said(caplog):
    ImageEdits(rotation=45)
    assert not caplog.messages
    ImageEdits(rotation=90)
    assert "a six becomes a nine" in caplog.text


def ramp(n_steps=10, n_features=2):
    return torch.arange(float(n_steps))[None, :, None].repeat(3, 1, n_features)


def test_series_is_left_alone_when_nothing_is_edited():
    torch.testing.assert_close(FAMILIES["series"].apply(ramp(), series_edit()), ramp())


@pytest.mark.parametrize("shift", [0, 2, -3, 50])
def test_series_repeats_its_edge_when_shifted(shift):
    shifted = FAMILIES["series"].apply(ramp(), series_edit(shift=shift))
    expected = [min(max(t - shift, 0), 9) for t in range(10)]
    torch.testing.assert_close(shifted[0, :, 0], torch.tensor(expected).float())


def test_series_is_scaled_when_the_magnitude_changes():
    edited = FAMILIES["series"].apply(ramp(), series_edit(magnitude=1.1))
    torch.testing.assert_close(edited, 1.1 * ramp())


@pytest.mark.parametrize("warp", [0.5, 0.9, 1.1, 2.0])
def test_series_runs_through_the_same_values_when_warped(warp):
    warped = FAMILIES["series"].apply(ramp(), series_edit(warp=warp))[0, :, 0]
    expected = [min(t * warp, 9.0) for t in range(10)]
    torch.testing.assert_close(warped, torch.tensor(expected))


@pytest.mark.parametrize("shift", [-2, 0, 3])
def test_series_never_mixes_padding_into_real_steps(shift):
    padded = ramp().clone()
    padded[:, 6:] = 1e6
    edit = series_edit(shift=shift, warp=1.3, magnitude=1.1, noise=0.1)
    edited = FAMILIES["series"].apply(padded, edit, torch.tensor([6] * 3))
    assert torch.equal(edited[:, 6:], padded[:, 6:])
    alone = FAMILIES["series"].apply(padded[:, :6], edit)
    assert edited[:, :6].abs().max() < 10
    expected = [min(max((t - shift) * 1.3, 0.0), 5.0) * 1.1 for t in range(6)]
    torch.testing.assert_close(alone[0, :, 0], torch.tensor(expected), atol=0.5, rtol=0)


def test_series_noise_has_the_wanted_size_and_its_own_seed():
    zeros = torch.zeros(1, 500, 4)
    family = FAMILIES["series"]
    noisy = family.apply(zeros, series_edit(1, noise=0.2))
    assert noisy.std().item() == pytest.approx(0.2, rel=0.1)
    assert torch.equal(noisy, family.apply(zeros, series_edit(1, noise=0.2)))
    assert not torch.equal(noisy, family.apply(zeros, series_edit(1, noise=0.2, noise_seed=4.0)))


def test_series_are_edited_each_by_its_own_edit():
    edits = EditBatch.of(
        [
            Edit("series", SERIES_LEFT_ALONE | change)
            for change in ({"shift": 2}, {"magnitude": 2.0}, {"warp": 0.5})
        ]
    )
    edited = FAMILIES["series"].apply(ramp(), edits)[:, :, 0]
    assert edited[0].tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7]
    assert edited[1].tolist() == [2.0 * t for t in range(10)]
    assert edited[2].tolist() == [0.5 * t for t in range(10)]


def test_default_series_edits_draw_what_they_always_drew():
    drawn = SeriesEdits().draw(4, torch.Generator().manual_seed(3)).parameters
    more = SeriesEdits(local_warp=(0.9, 1.1), dropped=0.1, rotation=20, spared={"noise": [1]})
    with_more = more.draw(4, torch.Generator().manual_seed(3)).parameters
    assert list(drawn) == ["magnitude", "shift", "warp", "noise", "noise_seed"]
    assert all(torch.equal(with_more[name], value) for name, value in drawn.items())


@pytest.mark.parametrize("n_steps", [1, 2, 9])
def test_series_edits_do_not_depend_on_padding_or_batch(n_steps):
    family = FAMILIES["series with all"]
    padded = torch.randn(6, 12, 28, generator=torch.Generator().manual_seed(0))
    edits = family.draw(6, torch.Generator().manual_seed(1))
    together = family.apply(padded, edits, torch.full((6,), n_steps))
    assert torch.equal(together[:, n_steps:], padded[:, n_steps:])
    for row, edit in enumerate(edits.to_list()):
        alone = family.apply(padded[row : row + 1, :n_steps], EditBatch.of([edit]))
        assert torch.equal(alone[0], together[row, :n_steps])


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.2])
def test_series_runs_at_a_local_speed_and_ends_where_it_ended(speed):
    edit = series_edit(local_warp=speed, turn=1 / 3)
    found = FAMILIES["series"].apply(ramp(), edit)[0, :, 0].double()
    assert found[0] == 0
    assert found[-1] == pytest.approx(9, abs=1e-5)
    # Until a third of the way at this speed; then evenly to the end.
    expected = [
        t * speed if t <= 3 else 3 * speed + (t - 3) * (9 - 3 * speed) / 6 for t in range(10)
    ]
    torch.testing.assert_close(found, torch.tensor(expected).double(), atol=1e-5, rtol=0)


def test_dropped_steps_hold_the_last_reading_and_are_as_many_as_wanted():
    long = torch.arange(4000.0)[None, :, None]
    found = FAMILIES["series"].apply(long, series_edit(1, dropped=0.3, dropped_seed=5.0))[0, :, 0]
    lost = found != long[0, :, 0]
    assert 0.27 < float(lost.double().mean()) < 0.33
    assert not lost[0]
    for step in lost.nonzero()[:, 0].tolist():
        assert found[step] == found[step - 1]


def test_rotations_turn_vectors_of_three_channels_and_keep_their_lengths():
    family, vectors = FAMILIES["series"], torch.randn(3, 10, 7)
    edit = series_edit(rotation=70.0, axis_height=0.3, axis_angle=20.0)
    turned = family.apply(vectors, edit)
    assert torch.equal(turned[..., 6], vectors[..., 6])
    for first in (0, 3):
        old, new = (x[..., first : first + 3].double() for x in (vectors, turned))
        torch.testing.assert_close(old.norm(dim=-1), new.norm(dim=-1), atol=1e-5, rtol=0)
        # One rotation for all: products of vectors stay, and so does the axis.
        torch.testing.assert_close(old @ old.mT, new @ new.mT, atol=1e-4, rtol=0)
    about_third = series_edit(rotation=90.0, axis_height=1.0, axis_angle=0.0)
    quarter = family.apply(vectors, about_third)
    torch.testing.assert_close(quarter[..., 0], -vectors[..., 1], atol=1e-6, rtol=0)
    torch.testing.assert_close(quarter[..., 1], vectors[..., 0], atol=1e-6, rtol=0)
    torch.testing.assert_close(quarter[..., 2], vectors[..., 2])
    with pytest.raises(ConfigurationError, match="three channels, the series have 2"):
        family.apply(ramp(), about_third)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("magnitude", {"magnitude": 2.0}),
        ("shift", {"shift": 2}),
        ("warp", {"warp": 0.5}),
        ("noise", {"noise": 0.5}),
        ("local_warp", {"local_warp": 1.3, "turn": 0.5}),
        ("dropped", {"dropped": 0.5, "dropped_seed": 2.0}),
        ("rotation", {"rotation": 50.0, "axis_height": 0.1, "axis_angle": 3.0}),
    ],
)
@pytest.mark.parametrize("spared", [[0], [1, 50]])
def test_channels_are_spared_by_each_kind_and_changed_as_ever_otherwise(kind, change, spared):
    series = torch.randn(3, 20, 51, generator=torch.Generator().manual_seed(0))
    plain = FAMILIES["series"].apply(series, series_edit(**change))
    words = SeriesEdits(spared={kind: spared}).draw(3, torch.Generator()).parameters
    words = {k: float(v[0]) for k, v in words.items() if k.startswith("spared")}
    edited = FAMILIES["series"].apply(series, series_edit(**change, **words))
    left = {c for one in spared for c in ([one] if kind != "rotation" else _three(one))}
    for c in range(51):
        expected = series if c in left else plain
        assert torch.equal(edited[..., c], expected[..., c])
        assert not torch.equal(plain[..., c], series[..., c])


def _three(channel):
    return range(channel - channel % 3, channel - channel % 3 + 3)


def test_a_spared_channel_that_is_not_there_is_refused():
    family = SeriesEdits(spared={"noise": [2]})
    with pytest.raises(ConfigurationError, match=r"noise spares channel 2.* 0 \.\. 1"):
        family.apply(ramp(), family.draw(3, torch.Generator()))


def test_two_channels_take_each_others_place_and_padding_stays():
    g = torch.Generator().manual_seed(5)
    inputs = torch.rand(3, 8, 4, generator=g)
    edit = series_edit(swapped=1.0, swapped_with=3.0)
    edited = FAMILIES["series"].apply(inputs, edit, torch.tensor([8, 5, 1]))
    expected = inputs[:, :, [0, 3, 2, 1]]
    for row, length in enumerate((8, 5, 1)):
        assert torch.equal(edited[row, :length], expected[row, :length])
        assert torch.equal(edited[row, length:], inputs[row, length:])
    # Each series by its own edit; a channel swapped with itself is left alone.
    both = edit.parameters | {"swapped_with": torch.tensor([1.0, 0.0, 3.0]).double()}
    edited = FAMILIES["series"].apply(inputs, EditBatch("series", both))
    for row, order in enumerate(([0, 1, 2, 3], [1, 0, 2, 3], [0, 3, 2, 1])):
        assert torch.equal(edited[row], inputs[row, :, order])


@pytest.mark.parametrize("other", [2.0, -1.0])
def test_a_swapped_channel_that_is_not_there_is_refused(other):
    with pytest.raises(ConfigurationError, match=r"swapped, the series have channels 0 \.\. 1"):
        FAMILIES["series"].apply(ramp(), series_edit(swapped=0.0, swapped_with=other))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ImageEdits, {"rotation": 181}),
        (ImageEdits, {"rotation": -1}),
        (ImageEdits, {"rotation": math.nan}),
        (ImageEdits, {"scale": (0, 1)}),
        (ImageEdits, {"scale": (1.2, 1.1)}),
        (ImageEdits, {"translation": -1}),
        (ImageEdits, {"shear": -1}),
        (ImageEdits, {"blur": -1}),
        (ImageEdits, {"noise": -0.1}),
        (ImageEdits, {"contrast": (-1, 1)}),
        (ImageEdits, {"contrast": (1.2, 1.1)}),
        (SeriesEdits, {"magnitude": (0, 1)}),
        (SeriesEdits, {"warp": (2, 1)}),
        (SeriesEdits, {"shift": -1}),
        (SeriesEdits, {"noise": -1}),
        (SeriesEdits, {"local_warp": (0, 1)}),
        (SeriesEdits, {"dropped": 1.5}),
        (SeriesEdits, {"rotation": 200}),
        (SeriesEdits, {"spared": {"blur": [1]}}),
        (SeriesEdits, {"spared": {"noise": [-1]}}),
        (SeriesEdits, {"spared": {"noise": ["x"]}}),
    ],
)
def test_family_names_the_key_when_a_limit_is_out_of_range(kind, options):
    (name,) = options
    with pytest.raises(ConfigurationError, match=rf"{kind.__name__}\.{name}"):
        kind(**options)


@pytest.mark.parametrize(
    ("family", "kinds"),
    [
        (ImageEdits(), {"image"}),
        (SeriesEdits(), {"image", "series"}),
        (TokenEdits(), {"tokens"}),
    ],
)
def test_edits_say_what_they_are_made_for(family, kinds):
    """A sensor series was once rotated and sheared like a picture."""
    for kind in Kind:
        spec = DataSpec(kind, 9, 4)
        if kind in kinds:
            check_fits([("edits", family)], spec)
        else:
            with pytest.raises(ConfigurationError, match=f"edits {family.name} is made for"):
                check_fits([("edits", family)], spec)


def test_words_are_hidden_by_the_token_of_unknown_words_alone():
    spec = DataSpec("tokens", 1, 2, padding=0)
    with pytest.raises(ConfigurationError, match="stands behind the end"):
        check_hidden("edits", TokenEdits(), spec)
    check_hidden("edits", TokenEdits(unknown=3), spec)
    known = DataSpec("tokens", 1, 2, padding=0, unknown=1)
    with pytest.raises(ConfigurationError, match=r"TokenEdits\(unknown=1\)"):
        check_hidden("edits", TokenEdits(unknown=3), known)
    check_hidden("edits", TokenEdits(unknown=1), known)
    check_hidden("edits", SeriesEdits(), DataSpec("series", 1, 2))


TOKENS = torch.randint(2, 50, (6, 40), generator=torch.Generator().manual_seed(0))


def test_tokens_are_hidden_within_the_limit_and_padding_is_left_alone():
    family = TokenEdits(hidden=0.5)
    lengths = torch.tensor([40, 3, 17, 40, 25, 1])
    shares = []
    for seed in range(50):
        edits = family.draw(6, torch.Generator().manual_seed(seed))
        hidden = family.apply(TOKENS, edits, lengths) == 0
        assert not hidden[torch.arange(40) >= lengths[:, None]].any()
        shares.append((float(edits.parameters["share"][0]), float(hidden[0].double().mean())))
    wanted, found = torch.tensor(shares).T
    assert 0.0 <= wanted.min() < 0.1 < 0.4 < wanted.max() <= 0.5
    # The share that is drawn is the share that is hidden, on average over draws.
    assert abs(float((wanted - found).mean())) < 0.03
    assert torch.corrcoef(torch.stack([wanted, found]))[0, 1] > 0.8


def test_hidden_tokens_do_not_depend_on_padding_or_batch():
    family = TokenEdits(0.5)
    edits = family.draw(6, torch.Generator().manual_seed(0))
    whole = family.apply(TOKENS, edits)
    for row, edit in enumerate(edits.to_list()):
        alone = family.apply(TOKENS[row : row + 1, :20], EditBatch.of([edit]))
        assert torch.equal(alone, whole[row : row + 1, :20])
    assert (whole != TOKENS).any()
    assert torch.equal(whole[whole != 0], TOKENS[whole != 0])


def test_a_text_is_never_hidden_as_a_whole():
    words = torch.tensor([[7, 1], [8, 9]])
    left = [
        TokenEdits(0.5).apply(
            words,
            same(2, "hide", {"share": 0.5, "seed": float(seed), "unknown": 0.0}),
            torch.tensor([1, 2]),
        )
        for seed in range(40)
    ]
    assert all(t[0].tolist() == [7, 1] for t in left)
    assert all(t[1].any() for t in left)
    assert any((t[1] == 0).any() for t in left)


@pytest.mark.parametrize("hidden", [0.0, -0.1, 0.6])
def test_token_edits_name_the_key_when_out_of_range(hidden):
    with pytest.raises(ConfigurationError, match=r"TokenEdits\.hidden"):
        TokenEdits(hidden)


@pytest.mark.parametrize(("side", "axis", "flipped"), [(0, 1, 0), (1, 1, 1), (2, 0, 0), (3, 0, 1)])
def test_a_covered_side_is_empty_and_the_rest_untouched(images, side, axis, flipped):
    found = ImageEdits().apply(images, image_edit(covered=0.25, side=float(side)))
    plain = ImageEdits().apply(images, image_edit())
    lines = [t.transpose(1, 2) if axis else t for t in (found, plain)]
    found, plain = (t.flip(1) if flipped else t for t in lines)
    assert not found[:, :7].any()
    assert torch.equal(found[:, 7:], plain[:, 7:])


def test_an_inverted_image_is_one_minus_the_image(images):
    plain = ImageEdits().apply(images, image_edit())
    assert torch.equal(ImageEdits().apply(images, image_edit(inverted=1.0)), 1 - plain)
    assert torch.equal(ImageEdits().apply(images, image_edit(inverted=0.0)), plain)


def test_a_mirrored_image_is_mirrored_before_anything_else(images):
    mirrored = ImageEdits().apply(images, image_edit(mirrored=1.0, angle=20.0, right=2.0))
    flipped = ImageEdits().apply(images.flip(2), image_edit(angle=20.0, right=2.0))
    assert torch.equal(mirrored, flipped)
    plain = ImageEdits().apply(images, image_edit(angle=20.0, right=2.0))
    assert not torch.equal(mirrored, plain)
    assert torch.equal(
        ImageEdits().apply(images, image_edit(mirrored=0.0, angle=20.0, right=2.0)), plain
    )


def test_drift_moves_the_last_real_step_by_its_size_and_the_first_by_nothing():
    inputs = torch.rand(3, 6, 4, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([6, 4, 1])
    found = SeriesEdits().apply(inputs, series_edit(drift=0.9, spared_drift_0=4.0), lengths)
    moved = found - inputs
    assert moved[0, :, 0].tolist() == pytest.approx([0.18 * t for t in range(6)], abs=1e-6)
    assert moved[1, :4, 3].tolist() == pytest.approx([0.3 * t for t in range(4)], abs=1e-6)
    assert not moved[:, :, 2].any()  # spared
    assert not moved[1, 4:].any()
    assert not moved[2].any()


def test_an_offset_moves_every_real_step_of_its_channels():
    inputs = torch.rand(2, 6, 3, generator=torch.Generator().manual_seed(0))
    edits = series_edit(2, offset=-0.7, spared_offset_0=4.0)
    moved = SeriesEdits().apply(inputs, edits, torch.tensor([6, 4])) - inputs
    expected = torch.zeros(2, 6, 3)
    expected[0, :, :2] = expected[1, :4, :2] = -0.7
    torch.testing.assert_close(moved, expected)


def test_a_reversed_series_runs_backwards_and_its_padding_stays():
    inputs = torch.rand(3, 6, 2, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([6, 4, 1])
    found = SeriesEdits().apply(inputs, series_edit(reversed=1.0), lengths)
    assert torch.equal(found[0], inputs[0].flip(0))
    assert torch.equal(found[1], torch.cat([inputs[1, :4].flip(0), inputs[1, 4:]]))
    assert torch.equal(found[2], inputs[2])
    assert torch.equal(SeriesEdits().apply(inputs, series_edit(reversed=0.0), lengths), inputs)


def test_chosen_parameters_lie_in_their_ranges_in_their_share_of_the_edits():
    usual = ImageEdits()
    family = RangedEdits({"angle": (60, 90), "contrast": (0.4, 0.6)}, usual, 0.3)
    drawn = family.draw(2000, torch.Generator().manual_seed(0)).parameters
    known = drawn["angle"] > usual.rotation
    assert 0.25 < known.double().mean() < 0.35
    assert drawn["angle"][known].min() >= 60
    assert drawn["angle"][known].max() <= 90
    assert torch.equal((drawn["contrast"] >= 0.4) & (drawn["contrast"] <= 0.6), known)
    assert (drawn["contrast"][~known] == 1).all()
    assert drawn["scale"].unique().numel() == 2000


def test_channels_are_spared_in_the_chosen_edits_alone():
    family = RangedEdits(
        {"magnitude": (0, 0)}, SeriesEdits(noise=0, shift=0), 0.5, {"magnitude": [1]}
    )
    edits = family.draw(50, torch.Generator().manual_seed(0))
    known = edits.parameters["magnitude"] == 0
    x = torch.randn(50, 9, 2, generator=torch.Generator().manual_seed(1)) + 5
    edited = family.apply(x, edits)
    assert 10 < known.sum() < 40
    assert (edited[known][..., 0] == 0).all()
    assert (edited[known][..., 1] != 0).all()
    assert (edited[~known] != 0).all()


def test_parameters_that_a_family_does_not_have_are_refused():
    with pytest.raises(ConfigurationError, match=r"'tilt'.*'angle'"):
        RangedEdits({"tilt": (1, 2)}, ImageEdits())
    with pytest.raises(ConfigurationError, match="angle must have a least and a largest"):
        RangedEdits({"angle": (9, 3)}, ImageEdits())
    with pytest.raises(ConfigurationError, match="rotates"):
        RangedEdits({"magnitude": (1, 2)}, SeriesEdits(), spared={"rotates": [0]})


@pytest.mark.parametrize("size", [(1, 8), (2, 2), (3, 28)])
def test_images_of_few_pixels_are_blurred_too(size):
    images = torch.full((2, *size), 0.5)
    edits = ImageEdits(0, 0, (1, 1), 0, blur=1.5).draw(2, torch.Generator())
    # What is the same everywhere stays so.
    torch.testing.assert_close(apply_edits(images, edits, torch.full((2,), size[0])), images)
