"""Which way round a mask is, where only its name says so: found out by changing the padding."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from rnnrepair.network.calls import SEEN, FoundCall
from rnnrepair.network.hooked import UNFIT, called
from rnnrepair.network.snapshot import unchanged
from rnnrepair.network.views import CASTS, VIEWS, then
from rnnrepair.sequences import SequenceBatch
from rnnrepair.tensors import tensors_in

REAL, PADDING = "the mask of real steps", "the mask of padding"
# bool first: it is what a mask is, and some code cannot subtract it from 1.
KINDS = ("", " as floats")


def settle_masks(module: nn.Module, found: FoundCall, batch: SequenceBatch) -> FoundCall:
    """Return the call whose answers do not depend on what stands in the padding.

    What the name of an argument says holds where answers depend on the padding either way, or
    neither.

    Args:
        module: in evaluation mode.
        found: of the names of its arguments.
        batch: a few sequences; shorter ones are made of them, so that there is padding.
    """
    keys = [key for key, name in found.names.items() if name in {REAL, PADDING}]
    if not keys or found.how == SEEN:
        return found
    ragged = _ragged(batch)
    runs = []
    for call in _candidates(found, keys):
        alike = _ignores_padding(module, call, ragged)
        if alike:
            return call
        if alike is not None:
            runs.append(call)
    return runs[0] if runs else found


def _candidates(found: FoundCall, keys: list[int | str]) -> Iterator[FoundCall]:
    """Yield the call as the names say, then with other types, then the other way round."""
    for turned in (False, True):
        for kind in KINDS:
            call = found
            for key in keys:
                name = found.names[key]
                if turned:
                    name = PADDING if name == REAL else REAL
                call = call.with_view(key, f"{name}{kind}", then(VIEWS[name], CASTS[kind]))
            yield call


def _ragged(batch: SequenceBatch) -> SequenceBatch:
    """Return all sequences as wide as before, none of which reaches the end."""
    n_steps = batch.inputs.shape[1]
    lengths = (n_steps - 1 - torch.arange(len(batch)).to(batch.lengths)).clamp_min(1)
    return replace(batch, lengths=lengths)


def _ignores_padding(module: nn.Module, call: FoundCall, batch: SequenceBatch) -> bool | None:
    """Whether answers are the same with other padding; None where the module cannot be called."""
    moved = batch.inputs.roll(1, 0).flip(1)
    mask = batch.mask.view(*batch.mask.shape, *[1] * (moved.dim() - 2))
    other = replace(batch, inputs=torch.where(mask, batch.inputs, moved))
    found = []
    for each in (batch, other):
        with unchanged(module):
            try:
                output = called(module, call, each)
                rows = [t for t in tensors_in(output) if t.dim() in {1, 2} and len(t) == len(batch)]
                found.append(rows)
            except UNFIT:
                return None
    return all(torch.equal(left, right) for left, right in zip(*found, strict=True))
