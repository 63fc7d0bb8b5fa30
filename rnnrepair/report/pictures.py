"""Sequences as small pictures."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool2d

from rnnrepair.report.drawing import Drawing, Path, Picture, path_data

MAX_POINTS = 120
# Lowest and highest value: of a whole picture, or of each feature of a series.
Scale = tuple[float, float]
_THUMB = 56
_THUMB_PIXELS = 32
# Height of a line in a little picture at least.
_THIN_LANE = 5.0


def value_range(parts: list[Tensor]) -> Scale:
    """Return the lowest and highest finite value of what is shown on one scale."""
    values = np.concatenate([part.numpy().reshape(-1) for part in parts])
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)


def shared_scales(parts: list[Tensor], *, by_feature: bool) -> list[Scale]:
    """Return the ranges that pictures share: one of all, or one of each feature of (T, F) parts."""
    if not by_feature:
        return [value_range(parts)]
    return [value_range([part[:, c] for part in parts]) for c in range(parts[0].shape[1])]


def png_uri(inputs: Tensor, scale: Scale, max_side: int) -> str:
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
    inputs: Tensor, scales: Sequence[Scale], x: float, y: float, width: float, height: float
) -> tuple[Path, ...]:
    """Return a line for each feature of a (T, F) sequence, in lanes one below the other.

    The box of all lanes has its corner at (x, y); each lane has a scale of its own. Step t stands
    in the middle of the t-th of T columns.
    """
    lane = height / len(scales)
    values = torch.stack([unit(line, scale) for line, scale in zip(inputs.T, scales, strict=True)])
    if values.shape[1] > MAX_POINTS:
        values = adaptive_avg_pool1d(values[None], MAX_POINTS)[0]
    n = values.shape[1]
    # A tenth of each lane keeps its line from the next one.
    return tuple(
        Path(
            path_data(
                [
                    (x + (i + 0.5) / n * width, y + (feature + 0.95 - 0.9 * v) * lane)
                    for i, v in enumerate(line)
                ]
            ),
            "line lane",
        )
        for feature, line in enumerate(values.tolist())
    )


def thumbnail(inputs: Tensor, scales: Sequence[Scale], description: str, *, image: bool) -> Drawing:
    """Return a (T, F) sequence as a little picture: rows of pixels, or a line for each feature.

    Args:
        inputs: of the sequence.
        scales: one for an image, F for a series.
        description: for those who do not see it.
        image: whether it is one.
    """
    if image:
        aspect = min(max(inputs.shape[1] / inputs.shape[0], 0.5), 2.0)
        width, height = _THUMB * min(aspect, 1), _THUMB / max(aspect, 1)
        uri = png_uri(inputs, scales[0], _THUMB_PIXELS)
        return Drawing(width, height, description, pictures=(Picture(0, 0, width, height, uri),))
    width, height = 1.6 * _THUMB, max(_THUMB, _THIN_LANE * len(scales))
    lines = line_paths(inputs, scales, 0, 0, width, height)
    return Drawing(width, height, description, paths=lines)


def unit(inputs: Tensor, scale: Scale) -> Tensor:
    """Return values moved from ``scale`` to [0, 1]; what is no number is 0."""
    low, high = scale
    return ((inputs.double() - low) / max(high - low, 1e-12)).nan_to_num(0.0).clamp(0, 1)
