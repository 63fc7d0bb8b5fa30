"""Label-preserving edits of images that are read as sequences of rows."""

import logging
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from rnnrepair.edits.affine import warp
from rnnrepair.edits.edit import EditBatch
from rnnrepair.edits.family import seeds, uniform
from rnnrepair.sequences import Kind
from rnnrepair.settings import Factors, Share, Size, at_least, at_most, check_settings

log = logging.getLogger(__name__)

# From here on a rotation may change what an image shows; the paper's range of all angles does.
SAFE_ROTATION = 45.0
# Pixels to either side that a blur reaches.
BLUR_REACH = 2
# Sides from which an image may be covered, in the order of their numbers.
SIDES = ("left", "right", "top", "bottom")


class ImageEdits:
    """Small affine changes, and optionally contrast, blur, noise and a covered side.

    ``apply`` also inverts images (``inverted`` of 1) and mirrors them (``mirrored`` of 1), which is
    never drawn: these are single changes, which come in no sizes.

    Source: RNNRepair algorithm 2 (rotations and translations), with limits that keep the label.
    """

    name = "image"
    fits = frozenset({Kind.IMAGE})
    # Parameters that need no other one, with the values that change nothing.
    neutral: ClassVar[dict[str, float]] = {
        "angle": 0,
        "right": 0,
        "down": 0,
        "scale": 1,
        "shear": 0,
        "contrast": 1,
        "blur": 0,
        "inverted": 0,
        "mirrored": 0,
        "covered": 0,
        "side": 0,
    }

    def __init__(
        self,
        rotation: Annotated[float, at_least(0), at_most(180)] = 15.0,
        translation: Size = 2.0,
        scale: Factors = (0.9, 1.1),
        shear: Size = 10.0,
        contrast: Factors | None = None,
        blur: Size | None = None,
        noise: Size | None = None,
        covered: Share | None = None,
    ) -> None:
        """Set the limits.

        Args:
            rotation: degrees to either side.
            translation: pixels to any side.
            scale: smallest and largest factor.
            shear: degrees along the rows, to either side.
            contrast: smallest and largest factor, None for none.
            blur: largest standard deviation of a Gaussian blur in pixels, None for none.
            noise: largest standard deviation of Gaussian noise (pixels are in [0, 1]), None for
                none.
            covered: largest share of an image that is covered (0) from a side drawn at random,
                None for none.

        Raises:
            SettingsError: a limit is out of range.
        """
        check_settings(ImageEdits, locals())
        if rotation > SAFE_ROTATION:
            log.warning(
                "rotation=%s: turned by more than %s degrees an image may show another "
                "class (a six becomes a nine), and it keeps its label.",
                rotation,
                SAFE_ROTATION,
            )
        self.rotation = rotation
        self.translation = translation
        self.scale = scale
        self.shear = shear
        self.contrast = contrast
        self.blur = blur
        self.noise = noise
        self.covered = covered

    def draw(self, n: int, generator: torch.Generator) -> EditBatch:
        """Draw n edits, uniform within the limits."""
        parameters = {
            "angle": uniform(-self.rotation, self.rotation, n, generator),
            "right": uniform(-self.translation, self.translation, n, generator),
            "down": uniform(-self.translation, self.translation, n, generator),
            "scale": uniform(*self.scale, n, generator),
            "shear": uniform(-self.shear, self.shear, n, generator),
        }
        if self.contrast is not None:
            parameters["contrast"] = uniform(*self.contrast, n, generator)
        if self.blur is not None:
            parameters["blur"] = uniform(0, self.blur, n, generator)
        if self.noise is not None:
            parameters["noise"] = uniform(0, self.noise, n, generator)
            parameters["noise_seed"] = seeds(n, generator)
        if self.covered is not None:
            parameters["covered"] = uniform(0, self.covered, n, generator)
            parameters["side"] = uniform(0, len(SIDES), n, generator).floor()
        return EditBatch("image", parameters)

    def apply(self, inputs: Tensor, edits: EditBatch, lengths: Tensor | None = None) -> Tensor:
        """Apply edit i to image i of (B, rows, columns) with pixels in [0, 1].

        An image of fewer rows is edited as it is alone; the rows behind it stay.
        """
        height = inputs.shape[1]
        if lengths is None or bool((lengths == height).all()):
            return self._changed(inputs, edits)
        edited = inputs.clone()
        for height in lengths.unique().tolist():
            rows = (lengths == height).nonzero()[:, 0]
            edited[rows, :height] = self._changed(inputs[rows, :height], edits.select(rows.cpu()))
        return edited

    def _changed(self, inputs: Tensor, edits: EditBatch) -> Tensor:
        """Apply edit i to image i of (B, rows, columns) without padding."""
        p: dict[str, Any] = edits.parameters
        if "mirrored" in p:
            inputs = torch.where((p["mirrored"] == 1)[:, None, None], inputs.flip(2), inputs)
        images = warp(inputs, p)
        if "contrast" in p:
            mean = images.mean((1, 2), keepdim=True)
            factor = p["contrast"][:, None, None].to(images)
            images = (mean + factor * (images - mean)).clamp(0, 1)
        if "blur" in p:
            images = _blurred(images, p["blur"].to(images))
        if "noise" in p:
            pattern = torch.stack([_pattern(images, int(seed)) for seed in p["noise_seed"]])
            images = (images + p["noise"][:, None, None].to(images) * pattern).clamp(0, 1)
        if "inverted" in p:
            images = torch.where((p["inverted"] == 1)[:, None, None], 1 - images, images)
        if "covered" in p:
            side = p.get("side", torch.zeros(len(images)))
            images = images.masked_fill(_behind(images, p["covered"], side), 0)
        return images


def _blurred(images: Tensor, deviation: Tensor) -> Tensor:
    """Blur (B, H, W) images by a Gaussian of their own (B,) deviations."""
    steps = torch.arange(-BLUR_REACH, BLUR_REACH + 1, dtype=images.dtype, device=images.device)
    # Below a tenth of a pixel the kernel is a single pixel.
    kernel = torch.exp(-0.5 * (steps / deviation.clamp_min(0.1)[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    weight = (kernel[:, :, None] * kernel[:, None, :])[:, None]
    # What has fewer pixels than the reach has none to reflect.
    mode = "reflect" if min(images.shape[1:]) > BLUR_REACH else "replicate"
    padded = pad(images[None], [BLUR_REACH] * 4, mode=mode)
    return conv2d(padded, weight, groups=len(images))[0]


def _behind(images: Tensor, share: Tensor, side: Tensor) -> Tensor:
    """Return (B, H, W) bool: pixels in the first (B,) share of the lines from (B,) sides."""
    height, width = images.shape[1:]
    column, row = torch.arange(width), torch.arange(height)
    lines = [column, column.flip(0), row, row.flip(0)]
    covered = torch.zeros(images.shape, dtype=torch.bool)
    for number, line in enumerate(lines):
        within = (line < (share[:, None] * len(line)).round()) & (side[:, None] == number)
        covered |= within[:, None, :] if number < 2 else within[:, :, None]
    return covered.to(images.device)


def _pattern(images: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(images.shape[1:], generator=generator).to(images)
