"""Label-preserving edits of images that are read as sequences of rows."""

import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from rnnrepair.errors import ConfigurationError
from rnnrepair.repair.edits import Edit

# A six turned by 180 degrees is a nine: the published range of all angles changes labels.
MAX_ROTATION = 45.0


class ImageMutation:
    """Small affine changes, and optionally contrast, blur and noise.

    Each edit is drawn once and applied to a whole batch of parents in one call.

    Source: RNNRepair algorithm 2 (rotations and translations), with limits that keep the label.
    """

    def __init__(
        self,
        rotation: float = 15.0,
        translation: float = 2.0,
        scale: tuple[float, float] = (0.9, 1.1),
        shear: float = 10.0,
        contrast: tuple[float, float] | None = None,
        blur: float | None = None,
        noise: float | None = None,
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

        Raises:
            ConfigurationError: a limit is out of range.
        """
        if not 0 <= rotation <= MAX_ROTATION:
            raise ConfigurationError(
                f"repair.mutations.image.rotation must lie in [0, {MAX_ROTATION}] degrees, so that "
                f"labels are kept, got {rotation}."
            )
        for name, factors in {"scale": scale, "contrast": contrast}.items():
            if factors is None:
                continue
            low, high = factors
            if not 0 < low <= high:
                raise ConfigurationError(
                    f"repair.mutations.image.{name} must be two factors 0 < low <= high, got "
                    f"{factors}."
                )
        for name, value in {
            "translation": translation,
            "shear": shear,
            "blur": blur,
            "noise": noise,
        }.items():
            if value is not None and value < 0:
                raise ConfigurationError(
                    f"repair.mutations.image.{name} must not be negative, got {value}."
                )
        self.rotation = rotation
        self.translation = translation
        self.scale = scale
        self.shear = shear
        self.contrast = contrast
        self.blur = blur
        self.noise = noise

    def check(self, shape: torch.Size) -> None:
        """Accept images only: (rows, columns) features of at least 4 x 4."""
        if len(shape) != 2 or min(shape) < 4:
            raise ConfigurationError(
                "repair.mutation=image edits images given as (rows, columns), the data have inputs "
                f"of shape {tuple(shape)}: choose repair.mutation=series."
            )

    def draw(self, generator: torch.Generator) -> Edit:
        """Draw one edit, uniform within the limits."""

        def uniform(low: float, high: float) -> float:
            return low + (high - low) * float(torch.rand((), generator=generator))

        parameters = {
            "angle": uniform(-self.rotation, self.rotation),
            "right": uniform(-self.translation, self.translation),
            "down": uniform(-self.translation, self.translation),
            "scale": uniform(*self.scale),
            "shear": uniform(-self.shear, self.shear),
        }
        if self.contrast is not None:
            parameters["contrast"] = uniform(*self.contrast)
        if self.blur is not None:
            parameters["blur"] = uniform(0, self.blur)
        if self.noise is not None:
            parameters["noise"] = uniform(0, self.noise)
            parameters["noise_seed"] = float(torch.randint(2**31, (), generator=generator))
        return Edit("image", parameters)

    def apply(self, inputs: Tensor, edit: Edit, lengths: Tensor | None = None) -> Tensor:
        """Apply one edit to (B, rows, columns) images with pixels in [0, 1]."""
        p = edit.parameters
        images = transforms.affine(
            inputs[:, None],
            angle=p["angle"],
            translate=[p["right"], p["down"]],
            scale=p["scale"],
            shear=[p["shear"], 0.0],
            interpolation=InterpolationMode.BILINEAR,
        )
        if "contrast" in p:
            images = transforms.adjust_contrast(images, p["contrast"])
        if p.get("blur", 0) > 0.1:  # below, the kernel is a single pixel
            images = transforms.gaussian_blur(images, [5, 5], [p["blur"], p["blur"]])
        if "noise" in p:
            generator = torch.Generator().manual_seed(int(p["noise_seed"]))
            pattern = torch.randn(images.shape[-2:], generator=generator)
            images = (images + p["noise"] * pattern.to(images)).clamp(0, 1)
        return images[:, 0]
