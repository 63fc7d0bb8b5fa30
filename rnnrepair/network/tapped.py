"""Finds the layer whose outputs are the states: the last recurrent one that decides the answer."""

from functools import partial
from typing import Any

import torch
from torch import nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.network.calls import Call
from rnnrepair.network.hooked import UNFIT, HookedModule, Pass, called
from rnnrepair.network.misfit import misfit
from rnnrepair.network.outputs import find_decoder
from rnnrepair.network.player import Part, playing
from rnnrepair.network.refusal import refusal
from rnnrepair.network.replay import first_backward
from rnnrepair.network.snapshot import unchanged
from rnnrepair.network.soundness import close
from rnnrepair.network.taps import recording, recurrent_layers
from rnnrepair.network.watch import Watch
from rnnrepair.sequences import SequenceBatch

# How far states are moved to see whether an output is bounded.
FAR = 1e4


class NoTapError(ConfigurationError):
    """Another layer must be named as the tap."""


def find_network(
    module: nn.Module,
    call: Call,
    told: str,
    batch: SequenceBatch,
    n_classes: int,
    name: str | None,
    watch: Watch,
) -> tuple[HookedModule, Pass]:
    """Return the module with its hooks, and what it does with the batch.

    Args:
        module: in evaluation mode.
        call: calls it.
        told: how it is called, for people.
        batch: a few sequences.
        n_classes: C.
        name: of the layer; found where None.
        watch: watches all of its calls.

    Raises:
        NoTapError: no recurrent layer ran, or the answer hangs on none; says which.
        ConfigurationError: the call fails, or what a layer returns is no states.
    """
    layers = _that_ran(module, call, told, batch, name)
    for tap in reversed(layers) if name is None else [module.get_submodule(name)]:
        network = HookedModule(module, call, tap, layers)
        network.around = watch
        network.learn_layouts(batch)
        seen = network.run(batch)
        _check_width(network, seen, told)
        far = partial(_scrambled, network, seen, FAR)
        network.decoder = find_decoder(seen.output, len(batch), n_classes, watch.squashed, far)
        if _feeds(network, seen):
            return network, seen
    which = "of a recurrent layer" if name is None else f"of {name}"
    raise NoTapError(
        f"other states {which} give the same answers, so its answers do not hang on them"
    )


def _check_width(network: HookedModule, seen: Pass, told: str) -> None:
    """Refuse a layer whose outputs have the steps last: they would be taken for units.

    Raises:
        ConfigurationError: its states have another width on shorter sequences.
    """
    shorter = max(int(seen.batch.lengths.max()) - 1, 1)
    try:
        width = network.run(seen.batch.rows(slice(None), shorter)).hidden.shape[2]
    except UNFIT:  # it takes one length only
        return
    if width != seen.hidden.shape[2]:
        reason = (
            f"the outputs of {type(network.tap).__name__} have a width of {seen.hidden.shape[2]}, "
            f"and of {width} on sequences that are a step shorter, so their last dimension is "
            "steps and no units: name a layer that returns (sequences, steps, units)"
        )
        raise refusal(network.module, told, reason)


def _that_ran(
    module: nn.Module, call: Call, told: str, batch: SequenceBatch, name: str | None
) -> list[nn.Module]:
    """Return the recurrent layers that ran and the named one, in the order of their first calls."""
    layers = recurrent_layers(module)
    if name is not None:
        layers[name] = module.get_submodule(name)
    with unchanged(module), recording(list(layers.values())) as recorded:
        try:
            called(module, call, batch)
        except UNFIT as error:
            unfit = misfit(module, call, batch)
            if unfit is not None:
                reason, mend = unfit
                raise refusal(module, told, reason, mend=mend) from error
            raise refusal(module, told, f"that failed: {error}") from error
    ran = [r.layer for r in recorded]
    if name is not None and layers[name] not in ran:
        raise ConfigurationError(f"The layer tap={name!r} did not run: name one that does.")
    if not ran:
        raise NoTapError("no nn.RNN, nn.LSTM, nn.GRU or cell of them ran")
    return ran


def _feeds(network: HookedModule, seen: Pass) -> bool:
    """Whether the answer is another one for other states."""
    try:
        other = network.decoder(_scrambled(network, seen, 1.0), len(seen.batch))
    except UNFIT:  # it reads more than states
        return True
    return not close(other, network.decoder(seen.output, len(seen.batch)))


def _scrambled(network: HookedModule, seen: Pass, scale: float) -> Any:
    """Return the output for random states of this scale."""
    tap, hidden = network.tap, scale * torch.randn_like(seen.hidden)
    states = None
    if isinstance(tap, nn.RNNBase):  # lower layers and cells may be read, too
        n = tap.num_layers * (2 if tap.bidirectional else 1)
        widths = (tap.proj_size or tap.hidden_size, tap.hidden_size)
        states = tuple(scale * torch.randn(n, len(hidden), width).to(hidden) for width in widths)
    cell = None if seen.tap.cell is None else scale * torch.randn_like(seen.tap.cell)
    backward = first_backward(tap, hidden)
    part = Part(hidden, seen.tap.layout, seen.tap.one_by_one, cell, backward, states)
    with playing([(tap, part)]):
        return network.output(seen.batch)
