"""Edits of images and series: what they do, and that they can be repeated."""

import math

import pytest
import torch

from rnnrepair.errors import ConfigurationError
from rnnrepair.repair import Edit, ImageMutation, SeriesMutation, TokenMutation

MUTATIONS = {
    "image": ImageMutation(),
    "image with all": ImageMutation(contrast=(0.5, 1.2), blur=1.0, noise=0.1),
    "series": SeriesMutation(),
}
LEFT_ALONE = {"angle": 0.0, "right": 0.0, "down": 0.0, "scale": 1.0, "shear": 0.0}
SERIES_LEFT_ALONE = {"magnitude": 1.0, "shift": 0, "warp": 1.0, "noise": 0.0, "noise_seed": 3.0}


@pytest.fixture
def images():
    return torch.rand(5, 28, 28, generator=torch.Generator().manual_seed(0))


def image_edit(**changes):
    return Edit("image", LEFT_ALONE | changes)


def series_edit(**changes):
    return Edit("series", SERIES_LEFT_ALONE | changes)


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_edit_is_the_same_bit_for_bit_when_applied_alone_or_in_a_batch(mutation, images):
    g = torch.Generator().manual_seed(1)
    for _ in range(8):
        edit = mutation.draw(g)
        together = mutation.apply(images, edit)
        alone = torch.cat([mutation.apply(image[None], edit) for image in images])
        assert torch.equal(together, alone)
        assert together.shape == images.shape
        assert together.dtype == images.dtype
        assert not torch.equal(together, images)


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_edit_changes_neither_parents_nor_global_random_state(mutation, images):
    before, state = images.clone(), torch.get_rng_state()
    mutation.apply(images, mutation.draw(torch.Generator().manual_seed(1)))
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_draw_depends_on_the_generator_alone(mutation):
    def draw(seed):
        g = torch.Generator().manual_seed(seed)
        return [mutation.draw(g) for _ in range(3)]

    assert draw(0) == draw(0)
    assert draw(0) != draw(1)
    assert len({str(edit) for edit in draw(0)}) == 3


def test_draw_stays_within_the_limits_when_all_edits_are_on():
    mutation = ImageMutation(10, 3, (0.8, 1.5), 5, (0.7, 1.1), 0.6, 0.2)
    g = torch.Generator().manual_seed(0)
    drawn = [mutation.draw(g).parameters for _ in range(300)]
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
        values = [p[name] for p in drawn]
        assert low <= min(values) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < max(values) <= high


def test_image_is_left_alone_when_nothing_is_edited(images):
    torch.testing.assert_close(MUTATIONS["image"].apply(images, image_edit()), images)


@pytest.mark.parametrize(("right", "down"), [(2, 0), (0, -3), (-1, 2)])
def test_image_moves_by_whole_pixels_when_translated(images, right, down):
    moved = MUTATIONS["image"].apply(images, image_edit(right=float(right), down=float(down)))
    expected = torch.zeros_like(images)
    for row in range(28):
        for column in range(28):
            if 0 <= row - down < 28 and 0 <= column - right < 28:
                expected[:, row, column] = images[:, row - down, column - right]
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=1e-5)


def test_image_turns_about_its_true_centre_when_rotated(images):
    """The original turned about (14, 14), half a pixel off."""
    turned = MUTATIONS["image"].apply(images, image_edit(angle=90.0))
    torch.testing.assert_close(turned, images.rot90(-1, (1, 2)), atol=1e-4, rtol=0)


def test_image_keeps_its_range_when_noise_and_contrast_are_large(images):
    mutation = ImageMutation(contrast=(3, 3), noise=5)
    edited = mutation.apply(images, mutation.draw(torch.Generator().manual_seed(0)))
    assert edited.min() >= 0
    assert edited.max() <= 1


def ramp(n_steps=10, n_features=2):
    return torch.arange(float(n_steps))[None, :, None].repeat(3, 1, n_features)


def test_series_is_left_alone_when_nothing_is_edited():
    torch.testing.assert_close(MUTATIONS["series"].apply(ramp(), series_edit()), ramp())


@pytest.mark.parametrize("shift", [0, 2, -3, 50])
def test_series_repeats_its_edge_when_shifted(shift):
    shifted = MUTATIONS["series"].apply(ramp(), series_edit(shift=shift))
    expected = [min(max(t - shift, 0), 9) for t in range(10)]
    torch.testing.assert_close(shifted[0, :, 0], torch.tensor(expected).float())


def test_series_is_scaled_when_the_magnitude_changes():
    edited = MUTATIONS["series"].apply(ramp(), series_edit(magnitude=1.1))
    torch.testing.assert_close(edited, 1.1 * ramp())


@pytest.mark.parametrize("warp", [0.5, 0.9, 1.1, 2.0])
def test_series_runs_through_the_same_values_when_warped(warp):
    warped = MUTATIONS["series"].apply(ramp(), series_edit(warp=warp))[0, :, 0]
    expected = [min(t * warp, 9.0) for t in range(10)]
    torch.testing.assert_close(warped, torch.tensor(expected))


@pytest.mark.parametrize("shift", [-2, 0, 3])
def test_series_never_mixes_padding_into_real_steps(shift):
    padded = ramp().clone()
    padded[:, 6:] = 1e6
    edit = series_edit(shift=shift, warp=1.3, magnitude=1.1, noise=0.1)
    edited = MUTATIONS["series"].apply(padded, edit, torch.tensor([6]))
    assert torch.equal(edited[:, 6:], padded[:, 6:])
    alone = MUTATIONS["series"].apply(padded[:, :6], edit)
    assert edited[:, :6].abs().max() < 10
    expected = [min(max((t - shift) * 1.3, 0.0), 5.0) * 1.1 for t in range(6)]
    torch.testing.assert_close(alone[0, :, 0], torch.tensor(expected), atol=0.5, rtol=0)


def test_series_noise_has_the_wanted_size_and_its_own_seed():
    zeros = torch.zeros(1, 500, 4)
    mutation = MUTATIONS["series"]
    noisy = mutation.apply(zeros, series_edit(noise=0.2))
    assert noisy.std().item() == pytest.approx(0.2, rel=0.1)
    assert torch.equal(noisy, mutation.apply(zeros, series_edit(noise=0.2)))
    assert not torch.equal(noisy, mutation.apply(zeros, series_edit(noise=0.2, noise_seed=4.0)))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ImageMutation, {"rotation": 46}),
        (ImageMutation, {"rotation": -1}),
        (ImageMutation, {"rotation": math.nan}),
        (ImageMutation, {"scale": (0, 1)}),
        (ImageMutation, {"scale": (1.2, 1.1)}),
        (ImageMutation, {"translation": -1}),
        (ImageMutation, {"shear": -1}),
        (ImageMutation, {"blur": -1}),
        (ImageMutation, {"noise": -0.1}),
        (ImageMutation, {"contrast": (-1, 1)}),
        (ImageMutation, {"contrast": (1.2, 1.1)}),
        (SeriesMutation, {"magnitude": (0, 1)}),
        (SeriesMutation, {"warp": (2, 1)}),
        (SeriesMutation, {"shift": -1}),
        (SeriesMutation, {"noise": -1}),
    ],
)
def test_mutation_names_the_key_when_a_limit_is_out_of_range(kind, options):
    (name,) = options
    with pytest.raises(ConfigurationError, match=name):
        kind(**options)


@pytest.mark.parametrize(
    ("mutation", "shape", "fits"),
    [
        ("image", (28, 28), True),
        ("image", (28, 3), False),
        ("image", (28,), False),
        ("series", (50, 1), True),
        ("series", (50,), False),
    ],
)
def test_check_refuses_when_the_data_have_another_shape(mutation, shape, fits):
    if fits:
        MUTATIONS[mutation].check(torch.Size(shape))
    else:
        with pytest.raises(ConfigurationError, match=r"repair\.mutation"):
            MUTATIONS[mutation].check(torch.Size(shape))


TOKENS = torch.randint(2, 50, (6, 40), generator=torch.Generator().manual_seed(0))


def test_tokens_are_hidden_within_the_limit_and_padding_is_left_alone():
    mutation = TokenMutation(hidden=0.5)
    g = torch.Generator().manual_seed(1)
    lengths = torch.tensor([40, 3, 17, 40, 25, 1])
    shares = []
    for _ in range(50):
        edit = mutation.draw(g)
        hidden = mutation.apply(TOKENS, edit, lengths) == 0
        assert not hidden[torch.arange(40) >= lengths[:, None]].any()
        shares.append((edit.parameters["share"], float(hidden[0].double().mean())))
    wanted, found = torch.tensor(shares).T
    assert 0.0 <= wanted.min() < 0.1 < 0.4 < wanted.max() <= 0.5
    # The share that is drawn is the share that is hidden, on average over draws.
    assert abs(float((wanted - found).mean())) < 0.03
    assert torch.corrcoef(torch.stack([wanted, found]))[0, 1] > 0.8


def test_hidden_tokens_do_not_depend_on_padding_or_batch():
    mutation = TokenMutation()
    edit = Edit("hide", {"share": 0.4, "seed": 3.0})
    whole = mutation.apply(TOKENS, edit)
    assert torch.equal(mutation.apply(TOKENS[2:3, :20], edit), whole[2:3, :20])
    assert (whole != TOKENS).any()
    assert torch.equal(whole[whole != 0], TOKENS[whole != 0])


def test_a_text_is_never_hidden_as_a_whole():
    edits = [Edit("hide", {"share": 0.5, "seed": float(seed)}) for seed in range(40)]
    words = torch.tensor([[7, 1], [8, 9]])
    left = [TokenMutation(0.5).apply(words, edit, torch.tensor([1, 2])) for edit in edits]
    assert all(t[0].tolist() == [7, 1] for t in left)
    assert all(t[1].any() for t in left)
    assert any((t[1] == 0).any() for t in left)


@pytest.mark.parametrize("hidden", [0.0, -0.1, 0.6])
def test_token_mutation_names_the_key_when_out_of_range(hidden):
    with pytest.raises(ConfigurationError, match=r"token\.hidden"):
        TokenMutation(hidden)


def test_token_mutation_refuses_features():
    TokenMutation().check(torch.Size([7]))
    with pytest.raises(ConfigurationError, match="mutation=image"):
        TokenMutation().check(torch.Size([7, 3]))
