"""Frames in the place of arrays: their columns have names, and an order that must not differ."""

from typing import Any

import numpy as np
from torch import Tensor

from rnnrepair.errors import DataError


def channels_of_frames(x: Any, x_test: Any) -> list[str]:
    """Return the names of the channels where sequences are frames; none of anything else.

    Raises:
        DataError: frames have other columns, or the same in another order.
    """
    first: list[str] = []
    for values, name in ((x, "x"), (x_test, "x_test")):
        for place, frame in _frames(values):
            columns = [str(column) for column in frame.columns]
            first = first or columns
            if columns != first:
                raise DataError(
                    f"{name}{place} has the columns {columns[:10]}, and another frame "
                    f"{first[:10]}: give all the same, in the order in which the network reads "
                    "them (frame[columns])."
                )
    # A frame that holds a sequence a row has the steps as columns.
    return [] if hasattr(x, "columns") else first


def _frames(values: Any) -> list[tuple[str, Any]]:
    """Return the frames among some values, each with its place."""
    if hasattr(values, "columns"):
        return [("", values)]
    numbers = isinstance(values, Tensor | np.ndarray) and values.dtype != np.object_
    # What can be read once only is left to whoever reads it.
    if numbers or not hasattr(values, "__getitem__"):
        return []
    return [(f"[{i}]", value) for i, value in enumerate(values) if hasattr(value, "columns")]
