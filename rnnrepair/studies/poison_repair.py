"""What can be done about training samples that are suspected of being poisoned."""

from collections.abc import Sequence
from dataclasses import fields, replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rnnrepair.influence import Cue
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import Changes, SequenceBatch

# Ways to repair, with what each does.
REPAIRS = ("mask", "remove", "relabel")


def repair_of(
    way: str, suspects: SequenceBatch, cues: Sequence[Cue], network: TracedNetwork
) -> Changes:
    """Return what a way to repair does to the training data.

    Args:
        way: ``mask``, the cues are taken out of the samples; ``remove``, the samples are; or
            ``relabel``, they are given the label that the network says without the steps that hold
            them: a trigger may be wider than the channels that tell it.
        suspects: training samples.
        cues: what they are suspected for.
        network: with the backdoor.
    """
    if way == "remove":
        return Changes(removed=suspects.index)
    masked = without_cues(suspects, cues, whole_steps=way == "relabel")
    if way == "mask":
        return Changes(
            masked.inputs,
            masked.lengths,
            masked.label,
            origin=masked.index,
            removed=masked.index,
        )
    said = network.predict([masked])
    other = said.predicted != said.label
    return Changes(relabelled=said.index[other], new_label=said.predicted[other])


def without_cues(
    batch: SequenceBatch, cues: Sequence[Cue], *, whole_steps: bool = False
) -> SequenceBatch:
    """Return sequences without cues.

    Tokens are left out, but a sequence of nothing else stays; readings of a channel are put on the
    line between their neighbours.

    Args:
        batch: B sequences, without further inputs beside their steps.
        cues: that they may hold.
        whole_steps: whether the other channels are taken out where one holds a cue, too.
    """
    anywhere = torch.stack([cue.read_in(batch) for cue in cues]).any(0)
    if batch.inputs.dim() == 2:
        kept = batch.mask & ~anywhere
        kept |= batch.mask & ~kept.any(1, keepdim=True)
        rows = [row[k] for row, k in zip(batch.inputs, kept, strict=True)]
        return replace(batch, inputs=pad_sequence(rows, batch_first=True), lengths=kept.sum(1))
    inputs = batch.inputs.clone()
    channels = range(inputs.shape[2]) if whole_steps else {cue.channel for cue in cues}
    for channel in channels:
        of_channel = [cue.read_in(batch) for cue in cues if cue.channel == channel]
        held = anywhere if whole_steps else torch.stack(of_channel).any(0)
        inputs[:, :, channel] = _interpolated(inputs[:, :, channel], held, batch.mask)
    return replace(batch, inputs=inputs)


def changes_key(changes: Changes) -> tuple[object, ...]:
    """Return what is equal where two changes do the same, so that they are trained once."""
    values = (getattr(changes, f.name) for f in fields(changes))
    return tuple(v.numpy().tobytes() if isinstance(v, Tensor) else v for v in values)


def _interpolated(values: Tensor, held: Tensor, mask: Tensor) -> Tensor:
    """Return (B, T) values of which the held ones are on the line between the nearest others."""
    step = torch.arange(values.shape[1])
    known = mask & ~held
    before = torch.where(known, step, -1).cummax(1).values
    after = torch.where(known, step, len(step)).flip(1).cummin(1).values.flip(1)
    # At an end the one neighbour that there is; a sequence without any keeps what it has.
    left = torch.where(before < 0, after, before).clamp(0, len(step) - 1)
    right = torch.where(after == len(step), before, after).clamp(0, len(step) - 1)
    share = (step - left) / (right - left).clamp_min(1)
    line = torch.lerp(values.gather(1, left), values.gather(1, right), share)
    return torch.where(held & known.any(1, keepdim=True), line, values)
