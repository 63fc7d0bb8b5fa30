"""Embeddings that are given what they have no entry for."""

from typing import Any

import torch
from torch import nn


def lookup_misfit(layer: str, part: nn.Module, given: Any) -> tuple[str, str] | None:
    """Return what is wrong with what an embedding was given, and what to change; else None.

    Args:
        layer: name and type of the part, for people.
        part: of the network.
        given: its first argument.
    """
    if isinstance(given, nn.utils.rnn.PackedSequence):
        given = given.data
    if not isinstance(part, nn.Embedding | nn.EmbeddingBag) or not isinstance(given, torch.Tensor):
        return None
    if given.is_floating_point():
        return (
            f"its layer {layer} looks up whole numbers, and was given floats, as the data are",
            "Give the data as whole numbers: x.long(), x.astype(np.int64).",
        )
    n, largest = part.num_embeddings, int(given.max())
    if largest < n:
        return None
    return (
        f"its layer {layer} has entries for tokens 0 .. {n - 1} (num_embeddings={n}), and the data "
        f"have tokens up to {largest}",
        beyond(largest),
    )


def beyond(largest: int) -> str:
    """Say what to change where a network has no entry for the largest token of the data."""
    return (
        f"Make it with {largest + 1} entries, or, where it is trained already, number the words as "
        "in its training, and give those that it does not know the number of its unknown word."
    )
