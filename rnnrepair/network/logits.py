"""The logits of some sequences, in the order in which they are asked for."""

from collections.abc import Callable

import torch
from torch import Tensor

from rnnrepair.network.traced import TracedNetwork
from rnnrepair.sequences import SequenceBatch

# Sequences that the network reads at a time.
AT_A_TIME = 500


def logits_of(
    network: TracedNetwork, fetch: Callable[[Tensor], SequenceBatch], index: Tensor
) -> Tensor:
    """Return the (n, C) float32 logits of sequences.

    Args:
        network: verified.
        fetch: returns the sequences with some indices.
        index: (n,) of them, all different.
    """
    said = network.predict(fetch(part) for part in index.split(AT_A_TIME))
    if said.logits is None:
        raise AssertionError("a network's own answers come with logits")
    # They come in ascending order of index.
    return said.logits[torch.searchsorted(said.index, index)]


def margin_of(logits: Tensor, label: Tensor) -> Tensor:
    """Return (n,) the probability of the true class minus that of the most probable other one.

    Args:
        logits: (n, C).
        label: (n,) int64 classes.
    """
    probability = logits.softmax(1)
    true = probability.gather(1, label[:, None])
    return true[:, 0] - probability.scatter(1, label[:, None], -1.0).amax(1)
