"""Where states come from: recurrent layers, cells in a loop, any named layer; recorded and played.

A tap is watched during one call of the module (``recording``). Later its recorded states can be put
in its place (``playing``), cut to a prefix: then all of the module's own code behind the tap says
what the network would have answered there.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from rnnrepair.errors import ConfigurationError


@dataclass
class Recorded:
    """What one layer did in one call of the module.

    Attributes:
        layer: that was watched.
        calls: its outputs, in order.
        inputs: what it was given, in order.
    """

    layer: nn.Module
    calls: list[Any] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)


def recurrent_layers(module: nn.Module) -> dict[str, nn.Module]:
    """Return all recurrent layers and cells of torch in a module, by name."""
    kinds = (nn.RNNBase, nn.RNNCellBase)
    return {name: part for name, part in module.named_modules() if isinstance(part, kinds)}


@contextmanager
def recording(layers: Sequence[nn.Module]) -> Iterator[list[Recorded]]:
    """Watch layers; the list is in the order in which they were first called."""
    seen: list[Recorded] = []

    def watch(layer: nn.Module, inputs: Any, output: Any) -> None:
        for recorded in seen:
            if recorded.layer is layer:
                break
        else:
            recorded = Recorded(layer)
            seen.append(recorded)
        recorded.calls.append(output)
        recorded.inputs.append(inputs)

    handles = [layer.register_forward_hook(watch) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class States:
    """States of one layer, one for each step of each sequence (d units in all directions).

    Attributes:
        hidden: (B, T, d), what stands behind the end of a sequence is undefined.
        lengths: (B,) int64 where the layer itself was told, else None.
        one_by_one: whether the layer was called once a step.
    """

    hidden: Tensor
    lengths: Tensor | None
    one_by_one: bool


def states_of(recorded: Recorded, n_rows: int) -> States:
    """Read the states of a layer from its outputs.

    Raises:
        ConfigurationError: it was called several times on several steps each, or its output has no
            layout that is known.
    """
    layer = recorded.layer
    outputs = [
        call[0] if isinstance(call, tuple) and not _packed(call) else call
        for call in recorded.calls
    ]
    if _packed(outputs[0]) and len(outputs) == 1:
        hidden, lengths = pad_packed_sequence(outputs[0], batch_first=True)
        return States(hidden, lengths, one_by_one=False)
    parts = [_batch_first(layer, output, n_rows) for output in outputs]
    if len(parts) > 1 and any(part.shape[1] != 1 for part in parts):
        raise ConfigurationError(
            f"The layer {type(layer).__name__} ran {len(parts)} times in one call of the network, "
            "on several steps each, so it is not clear which states are the sequence's: name "
            "another layer with tap=, or give the module a method trace(batch)."
        )
    return States(torch.cat(parts, 1), None, one_by_one=len(parts) > 1 or outputs[0].dim() == 2)


def _packed(value: Any) -> bool:
    return isinstance(value, PackedSequence)


def _batch_first(layer: nn.Module, output: Any, n_rows: int) -> Tensor:
    """Return an output as (B, T, d); one of a single step may come as (B, d)."""
    if not isinstance(output, Tensor) or output.dim() not in {2, 3}:
        raise ConfigurationError(
            f"The layer {type(layer).__name__} returns {_shape(output)}, expected a tensor of "
            "(sequences, steps, units), or of (sequences, units) once a step: name another layer "
            "with tap=, or give the module a method trace(batch)."
        )
    if output.dim() == 2:
        return output[:, None]
    return output if is_batch_first(layer, output, n_rows) else output.transpose(0, 1)


def is_batch_first(layer: nn.Module, output: Tensor, n_rows: int) -> bool:
    """Whether the sequences come first in a layer's (B, T, d) or (T, B, d) output."""
    if isinstance(layer, nn.RNNBase):
        return layer.batch_first
    # B and T are different where the network is verified; afterwards the first that fits.
    return output.shape[0] == n_rows


def _shape(output: Any) -> str:
    return str(tuple(output.shape)) if isinstance(output, Tensor) else type(output).__name__


@dataclass(frozen=True)
class Part:
    """Recorded states to be played: all sequences as long as each other.

    Attributes:
        hidden: (B, T, d) outputs, of which the last is the state that counts.
        first_backward: (B, d/2) state of the backward direction at the first step, where the layer
            reads both ways: what it has when it has read everything.
        states: the final states of all layers, where the module reads more than the top one.
        one_by_one: see ``States``.
    """

    hidden: Tensor
    first_backward: Tensor | None
    states: tuple[Tensor, ...] | None
    one_by_one: bool


@contextmanager
def playing(parts: Sequence[tuple[nn.Module, Part]]) -> Iterator[None]:
    """Let layers return recorded states instead of computing new ones."""
    own = [(layer, layer.__dict__.get("forward")) for layer, _ in parts]
    for layer, part in parts:
        layer.forward = _Player(layer, part)
    try:
        yield
    finally:
        for layer, forward in own:
            if forward is None:
                del layer.forward
            else:
                layer.forward = forward


class _Player:
    """Stands in for the forward of a layer."""

    def __init__(self, layer: nn.Module, part: Part) -> None:
        self.layer, self.part = layer, part
        self.step = 0

    def __call__(self, inputs: Any, *_: Any, **__: Any) -> Any:
        part, layer = self.part, self.layer
        hidden = part.hidden
        if part.one_by_one:
            hidden = hidden[:, self.step : self.step + 1]
            self.step += 1
        if isinstance(layer, nn.RNNCellBase):
            state = hidden[:, 0]
            # What is remembered beside the state was read by the cell alone.
            return (state, torch.full_like(state, torch.nan)) if _is_lstm(layer) else state
        if isinstance(layer, nn.RNNBase):
            return self._output(layer, inputs, hidden), self._final(layer, hidden)
        if hidden.shape[1] == 1 and part.one_by_one:
            return hidden[:, 0]
        return hidden if is_batch_first(layer, inputs, len(hidden)) else hidden.transpose(0, 1)

    def _output(self, layer: nn.RNNBase, inputs: Any, hidden: Tensor) -> Any:
        if isinstance(inputs, PackedSequence):
            rows = inputs.sorted_indices
            ordered = hidden if rows is None else hidden[rows]
            lengths = torch.full((len(hidden),), hidden.shape[1])
            packed = pack_padded_sequence(ordered, lengths, batch_first=True)
            return PackedSequence(packed.data, packed.batch_sizes, rows, inputs.unsorted_indices)
        return hidden if layer.batch_first else hidden.transpose(0, 1)

    def _final(self, layer: nn.RNNBase, hidden: Tensor) -> Any:
        if self.part.states is not None:
            states = self.part.states
            return states if _is_lstm(layer) else states[0]
        # States of lower layers are not recorded. NaN shows whether anything reads them.
        directions = 2 if layer.bidirectional else 1
        width = layer.proj_size or layer.hidden_size
        final = hidden.new_full((layer.num_layers * directions, len(hidden), width), torch.nan)
        final[-directions] = hidden[:, -1, :width]
        if self.part.first_backward is not None:
            final[-1] = self.part.first_backward
        if not _is_lstm(layer):
            return final
        cells = final.new_full((len(final), len(hidden), layer.hidden_size), torch.nan)
        return final, cells


def _is_lstm(layer: nn.Module) -> bool:
    return isinstance(layer, nn.LSTM | nn.LSTMCell)
