"""What padding costs a network that reads it: its answers with and without."""

import torch
from torch import Tensor

from rnnrepair.network import TracedNetwork
from rnnrepair.protocols import RepairableData, Split
from rnnrepair.traces import Traces

# Sequences that are asked again, at most, and in one batch.
ASKED, BATCH = 1000, 256
# Standard errors from which on a difference is no chance.
SURELY = 2


def padding_cost(
    network: TracedNetwork, data: RepairableData, traces: Traces, split: Split
) -> tuple[str, bool]:
    """Say how a network that reads padding answers the sequences of a split without it.

    Args:
        network: verified.
        data: that has the split.
        traces: of the split, as the network reads its batches.
        split: its name.

    Returns:
        A sentence for people, and whether padding is surely among the reasons why it fails.
    """
    rows = torch.linspace(0, len(traces) - 1, min(ASKED, len(traces))).round().long()
    padded, alone = traces.correct[rows], _right_alone(network, data, traces.index[rows])
    mended, broken = int((alone & ~padded).sum()), int((padded & ~alone).sum())
    costs = mended - broken > SURELY * (mended + broken) ** 0.5
    here, there = (float(right.double().mean()) for right in (padded, alone))
    why = "which is why some fail" if costs else "so it is not seen to be why it fails"
    told = f"Of {len(rows)} sequences of {split} {here:.1%} are right as they are padded"
    return f"{told}, {there:.1%} without padding, {why}.", costs


def _right_alone(network: TracedNetwork, data: RepairableData, index: Tensor) -> Tensor:
    """Return (n,) bool: the sequences that are right among sequences of their own length."""
    lengths = data.fetch(index).lengths
    right = torch.zeros(len(index), dtype=torch.bool)
    for length in lengths.unique().tolist():
        for rows in (lengths == length).nonzero()[:, 0].split(BATCH):
            batch = data.fetch(index[rows]).rows(slice(None), length)
            right[rows] = network.logits(batch).argmax(1).cpu() == batch.label
    return right
