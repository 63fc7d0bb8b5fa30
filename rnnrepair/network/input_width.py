"""Layers that are made for another number of features than the data have."""

from typing import Any

import torch
from torch import nn

from rnnrepair.sequences import SequenceBatch

# What torch's layers call the width of their inputs, and which dimension of these it is.
WIDTHS = {"input_size": -1, "in_features": -1, "in_channels": 1}


def width_misfit(
    layer: str, part: nn.Module, given: Any, batch: SequenceBatch
) -> tuple[str, str] | None:
    """Return what is wrong with the width of what a layer was given, and what to change; else None.

    Args:
        layer: name and type of the part, for people.
        part: of the network, at which a call breaks off.
        given: its first argument.
        batch: that the network was called with; None is returned for tokens.
    """
    if isinstance(given, nn.utils.rnn.PackedSequence):
        given = given.data
    if batch.inputs.dim() != 3 or not isinstance(given, torch.Tensor) or given.dim() < 2:
        return None
    width = batch.inputs.shape[2]
    squeezed = width == 1 and given.shape == batch.inputs.shape[:2]
    for argument, dimension in WIDTHS.items():
        wanted = getattr(part, argument, None)
        if not isinstance(wanted, int):
            continue
        if squeezed and wanted == 1:
            return (
                f"its layer {layer} reads one feature a step ({argument}=1), and was given "
                "(sequences, steps), as the items of the data are",
                "Give the data a last dimension of one feature, (sequences, steps, 1): "
                "x[..., None]; items of a Dataset (steps, 1).",
            )
        if given.shape[dimension] == width != wanted:
            return (
                f"its layer {layer} reads {wanted} features a step ({argument}={wanted}), and the "
                f"data have {width}",
                f"Make the layer with {argument}={width}, or, where it is trained already, give "
                "it data as it was trained on; or say what it is given of the data "
                "(call=lambda module, batch: module(...)).",
            )
    return None
