"""Whether the words of a split are numbered by another vocabulary than those of training."""

import torch
from torch import Tensor

from rnnrepair.protocols import RepairableData, Split
from rnnrepair.sequences import Kind

# Sequences that are read of each, at most.
READ = 5000
# Numbers by which a vocabulary may be shifted: what stands in front of its words differs.
SHIFTS = (1, -1, 2, -2, 3, -3, 4, -4)
# Nats a word by which words must be likelier in another numbering, and standard errors of that.
LIKELIER, SURELY = 0.05, 4
# How many times as much the words must have in common with training in that numbering.
MORE = 1.01
# Share of what two samples of training have in common, below which the words are others.
LESS = 0.6


def other_vocabulary(data: RepairableData, training: Tensor, index: Tensor, split: Split) -> str:
    """Say that a split seems to have another vocabulary; empty where it does not, or has no words.

    Topics may change how frequent words are, and never make the words of other numbers likelier.

    Args:
        data: of both.
        training: (n,) int64 indices.
        index: (m,) int64 of the split.
        split: its name.
    """
    if data.spec.kind != Kind.TOKENS:
        return ""
    here, there = _words(data, index), _words(data, training)
    by = _shift(here, there)
    if by:
        way = "higher" if by > 0 else "lower"
        return (
            f"Words of {split} are numbered {abs(by)} {way} than those of training, by how "
            "frequent they are: number them by the vocabulary that the network was trained with."
        )
    # As many as there are: few words have less in common.
    like = torch.arange(len(there)) % (1 + len(there) // max(len(here), 1)) == 0
    if _in_common(here, there) >= LESS * _in_common(there[like], there[~like]):
        return ""
    return (
        f"Words of {split} are as frequent as other words in training: are they numbered by the "
        "vocabulary that the network was trained with?"
    )


def _words(data: RepairableData, index: Tensor) -> Tensor:
    """Return the (k,) int64 words of some sequences, without padding."""
    batch = data.fetch(index[torch.linspace(0, len(index) - 1, min(READ, len(index))).long()])
    steps = torch.arange(batch.inputs.shape[1]) < batch.lengths[:, None]
    return batch.inputs[steps].long()


def _shift(here: Tensor, there: Tensor) -> int:
    """Return by how much words are numbered higher than those of training, 0 for nothing sure."""
    room = max(SHIFTS)
    size = int(torch.cat([here, there]).max()) + 1 + 2 * room
    count = (there + room).bincount(minlength=size).double() + 0.5
    likely = (count / count.sum()).log()
    best, found = LIKELIER, 0
    for by in SHIFTS:
        more = likely[here + room - by] - likely[here + room]
        mean = float(more.mean())
        if mean > best and mean > SURELY * float(more.std()) / len(more) ** 0.5:
            best, found = mean, by
    # Of words in no order, some shift is likelier by chance, and has no more in common.
    moved = _in_common(here - found + room, there + room)
    return found if moved > MORE * _in_common(here, there) else 0


def _in_common(here: Tensor, there: Tensor) -> float:
    """Return the share of words that two samples have in common, each as often as in both."""
    size = 1 + max(int(of.max()) if len(of) else 0 for of in (here, there))
    shares = [of.bincount(minlength=size).double() / max(len(of), 1) for of in (here, there)]
    return float(torch.minimum(*shares).sum())
