"""Sequences as small pictures."""

import base64
import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool2d

from rnnrepair.report.drawing import Drawing, Path, Picture, path_data

MAX_POINTS = 120
_THUMB = 56
_THUMB_PIXELS = 32


def value_range(parts: list[Tensor]) -> tuple[float, float]:
    """Return the lowest and highest finite value of what is shown on one scale."""
    values = np.concatenate([part.numpy().reshape(-1) for part in parts])
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)


def png_uri(inputs: Tensor, scale: tuple[float, float], max_side: int) -> str:
    """Return a (T, F) sequence as a grey PNG of at most ``max_side`` pixels a side.

    Row t is step t; the highest value is black, as ink on paper.
    """
    size = (min(len(inputs), max_side), min(inputs.shape[1], max_side))
    pixels = unit(inputs, scale)
    if size != tuple(inputs.shape):
        pixels = adaptive_avg_pool2d(pixels[None], size)[0]
    grey = ((1 - pixels) * 255).round().to(torch.uint8)
    file = io.BytesIO()
    Image.fromarray(grey.numpy()).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def line_paths(
    inputs: Tensor, scale: tuple[float, float], x: float, y: float, width: float, height: float
) -> tuple[Path, ...]:
    """Return a line for each feature of a (T, F) sequence in a box with its corner at (x, y).

    Step t stands in the middle of the t-th of T columns.
    """
    values = unit(inputs, scale).T
    if values.shape[1] > MAX_POINTS:
        values = adaptive_avg_pool1d(values[None], MAX_POINTS)[0]
    n = values.shape[1]
    return tuple(
        Path(
            path_data(
                [(x + (i + 0.5) / n * width, y + (1 - v) * height) for i, v in enumerate(line)]
            ),
            f"line series-{feature}",
        )
        for feature, line in enumerate(values.tolist())
    )


def thumbnail(
    inputs: Tensor, scale: tuple[float, float], description: str, *, image: bool
) -> Drawing:
    """Return a (T, F) sequence as a little picture: rows of pixels, or a line for each feature."""
    if image:
        aspect = min(max(inputs.shape[1] / inputs.shape[0], 0.5), 2.0)
        width, height = _THUMB * min(aspect, 1), _THUMB / max(aspect, 1)
        uri = png_uri(inputs, scale, _THUMB_PIXELS)
        return Drawing(width, height, description, pictures=(Picture(0, 0, width, height, uri),))
    width, height = 1.6 * _THUMB, _THUMB
    lines = line_paths(inputs, scale, 0, 0, width, height)
    return Drawing(width, height, description, paths=lines)


def unit(inputs: Tensor, scale: tuple[float, float]) -> Tensor:
    """Return values moved from ``scale`` to [0, 1]; what is no number is 0."""
    low, high = scale
    return ((inputs.double() - low) / max(high - low, 1e-12)).nan_to_num(0.0).clamp(0, 1)
