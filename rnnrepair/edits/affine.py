"""An affine change of its own for every image of a batch.

torchvision applies one change to a whole batch; augmentation wants one for each image. The formulas
are those of ``torchvision.transforms.v2.functional.affine``, and a test compares the two.
"""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def warp(images: Tensor, parameters: dict[str, Tensor]) -> Tensor:
    """Turn, shear, scale and then move images about their centres, bilinear, zeros outside.

    Args:
        images: (B, H, W).
        parameters: (B,) ``angle`` and ``shear`` in degrees, ``scale`` as a factor, ``right`` and
            ``down`` in pixels.
    """
    height, width = images.shape[1:]
    x = (torch.arange(width).to(images) + 0.5 - width / 2)[None, None, :]
    y = (torch.arange(height).to(images) + 0.5 - height / 2)[None, :, None]
    right, down = (parameters[name][:, None, None] for name in ("right", "down"))
    xx, xy, yx, yy = (entry[:, None, None] for entry in _inverse(parameters))
    # Elementwise and not as matrix products, whose rounding depends on the size of the batch. The
    # coefficients are in double precision, what is done for every pixel is not.
    columns = _line(xx, xy, right, down, width, x, y)
    rows = _line(yx, yy, right, down, height, x, y)
    warped = grid_sample(images[:, None], torch.stack([columns, rows], -1), align_corners=False)
    return warped[:, 0]


def _line(
    by_x: Tensor, by_y: Tensor, right: Tensor, down: Tensor, size: int, x: Tensor, y: Tensor
) -> Tensor:
    """Return (B, H, W): where in the parent each pixel comes from, along one side of -1 .. 1."""
    half = size / 2
    start = -(by_x * right + by_y * down) / half
    return (by_x / half).to(x) * x + ((by_y / half).to(x) * y + start.to(x))


def _inverse(parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the (B,) entries of the inverse of rotation, shear and scale, row by row."""
    angle, shear = parameters["angle"].deg2rad(), parameters["shear"].deg2rad()
    cos, sin, slope = angle.cos(), angle.sin(), shear.tan()
    # Forward, without the scale: [[cos, -cos * slope - sin], [sin, -sin * slope + cos]], whose
    # determinant is 1.
    entries = (cos - sin * slope, cos * slope + sin, -sin, cos)
    xx, xy, yx, yy = (entry / parameters["scale"] for entry in entries)
    return xx, xy, yx, yy
