"""Rotations of the vectors that three channels make: a sensor that is worn another way round."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError


def rotated(inputs: Tensor, parameters: Mapping[str, Tensor], on: Tensor | None) -> Tensor:
    """Turn channels 0 to 2, 3 to 5, ... of each series by one rotation; what is left over stays.

    Args:
        inputs: (B, T, F).
        parameters: (B,) ``rotation`` in degrees, and the axis: its height in -1 .. 1 and its angle
            about the third channel in degrees.
        on: (B, F) channels that may be changed; three with one that may not stay as they are.

    Raises:
        ConfigurationError: there are no three channels.
    """
    n_vectors = inputs.shape[2] // 3
    if n_vectors == 0:
        raise ConfigurationError(
            f"A rotation turns vectors of three channels, the series have {inputs.shape[2]}: leave "
            "rotation out."
        )
    names = ("rotation", "axis_height", "axis_angle")
    rows = zip(*(parameters[name].tolist() for name in names), strict=True)
    # One by one and elementwise, so that rounding does not depend on the size of the batch.
    matrix = torch.tensor([_matrix(*row) for row in rows], dtype=torch.float64).to(inputs)
    turned = inputs.clone()
    for first in range(0, 3 * n_vectors, 3):
        three = inputs[..., first : first + 3]
        parts = [three[..., k, None] * matrix[:, None, :, k] for k in range(3)]
        new = parts[0] + parts[1] + parts[2]
        if on is not None:
            new = torch.where(on[:, first : first + 3].all(1)[:, None, None], new, three)
        turned[..., first : first + 3] = new
    return turned


def _matrix(degrees: float, height: float, around: float) -> list[list[float]]:
    """Return the matrix of a rotation about an axis (Rodrigues)."""
    angle, direction = math.radians(degrees), math.radians(around)
    flat = math.sqrt(max(1 - height * height, 0.0))
    x, y, z = flat * math.cos(direction), flat * math.sin(direction), height
    c, s = math.cos(angle), math.sin(angle)
    return [
        [c + x * x * (1 - c), x * y * (1 - c) - z * s, x * z * (1 - c) + y * s],
        [y * x * (1 - c) + z * s, c + y * y * (1 - c), y * z * (1 - c) - x * s],
        [z * x * (1 - c) - y * s, z * y * (1 - c) + x * s, c + z * z * (1 - c)],
    ]
