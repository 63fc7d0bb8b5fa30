"""Where states come from: recurrent layers, cells in a loop, any named layer; recorded by hooks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from rnnrepair.errors import ConfigurationError
from rnnrepair.network.beside import Kinds, learn_beside


@dataclass
class Recorded:
    """What one layer did in one call of the module.

    Attributes:
        layer: that was watched.
        calls: its outputs, in order.
        inputs: what it was given, in order.
        options: what it was given by name, in order.
    """

    layer: nn.Module
    calls: list[Any] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)


def recurrent_layers(module: nn.Module) -> dict[str, nn.Module]:
    """Return all recurrent layers and cells of torch in a module, by name."""
    kinds = (nn.RNNBase, nn.RNNCellBase)
    return {name: part for name, part in module.named_modules() if isinstance(part, kinds)}


@contextmanager
def recording(layers: Sequence[nn.Module]) -> Iterator[list[Recorded]]:
    """Watch layers; the list is in the order in which they were first called."""
    seen: list[Recorded] = []

    def watch(layer: nn.Module, inputs: Any, options: dict[str, Any], output: Any) -> None:
        for recorded in seen:
            if recorded.layer is layer:
                break
        else:
            recorded = Recorded(layer)
            seen.append(recorded)
        recorded.calls.append(output)
        recorded.inputs.append(inputs)
        recorded.options.append(options)

    handles = [layer.register_forward_hook(watch, with_kwargs=True) for layer in layers]
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
        cell: (B, T, d) what LSTM cells remember, None for other layers.
        one_by_one: whether the layer was called once a step.
        layout: of its outputs.
    """

    hidden: Tensor
    lengths: Tensor | None
    cell: Tensor | None
    one_by_one: bool
    layout: "Layout"


@dataclass(frozen=True)
class Layout:
    """How the outputs of a layer are laid out.

    Attributes:
        batch_first: whether they are (B, T, d), else (T, B, d).
        flat: whether they are (B, d), one step.
        final: whether the final state stands beside them, as in torch's layers.
        beside: what else a layer of the user's returns, see ``learn_beside``.
    """

    batch_first: bool
    flat: bool
    final: bool
    beside: tuple[Kinds, ...] = ()


def states_of(recorded: Recorded, n_rows: int, layout: Layout | None = None) -> States:
    """Read the states of a layer from its outputs.

    Args:
        recorded: of the layer.
        n_rows: B, different from the number of steps where no layout is given.
        layout: that the layer had before; found where None.

    Raises:
        ConfigurationError: its output is not one state for each step of each sequence, or laid out
            in another way than before.
    """
    layer = recorded.layer
    outputs = [states_among(call) for call in recorded.calls]
    if isinstance(outputs[0], PackedSequence) and len(outputs) == 1:
        hidden, lengths = pad_packed_sequence(outputs[0], batch_first=True)
        _check_rows(layer, hidden, n_rows)
        packed = Layout(batch_first=True, flat=False, final=isinstance(recorded.calls[0], tuple))
        return States(hidden, lengths, None, one_by_one=False, layout=packed)
    found = layout or _layout(recorded, outputs[0], n_rows)
    parts = [_batch_first(layer, output, found) for output in outputs]
    for part in parts:
        _check_rows(layer, part, n_rows)
    if len(parts) > 1 and any(part.shape[1:] != (1, parts[0].shape[2]) for part in parts):
        raise ConfigurationError(
            f"The layer {type(layer).__name__} ran {len(parts)} times in one call of the network, "
            "on several steps each, so it is not clear which states are the sequence's: name "
            "another layer with tap=, or give the module a method trace(batch)."
        )
    cell = None
    if isinstance(layer, nn.LSTMCell):
        cell = torch.stack([call[1] for call in recorded.calls], 1)
    elif layout is None and not found.final:
        beside = learn_beside(recorded.calls, [part[:, -1] for part in parts])
        found = replace(found, beside=beside)
    one_by_one = len(parts) > 1 or found.flat
    return States(torch.cat(parts, 1), None, cell, one_by_one, found)


def states_among(call: Any) -> Any:
    """Return the states among what a layer returns: the first of a tuple."""
    packed = isinstance(call, PackedSequence)
    return call[0] if isinstance(call, tuple) and not packed and call else call


def _layout(recorded: Recorded, output: Any, n_rows: int) -> Layout:
    """Find the layout of a layer's outputs."""
    layer = recorded.layer
    flat = isinstance(output, Tensor) and output.dim() == 2
    final = isinstance(layer, nn.RNNBase) and isinstance(recorded.calls[0], tuple)
    if isinstance(layer, nn.RNNBase) and final:
        return Layout(layer.batch_first, flat=False, final=True)
    first = isinstance(output, Tensor) and output.dim() > 1 and output.shape[0] == n_rows
    return Layout(first, flat, final=False)


def _batch_first(layer: nn.Module, output: Any, layout: Layout) -> Tensor:
    """Return an output as (B, T, d); one of a single step may come as (B, d)."""
    if not isinstance(output, Tensor) or output.dim() != (2 if layout.flat else 3):
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ConfigurationError(
            f"The layer {type(layer).__name__} returns {shape}, expected a tensor of (sequences, "
            "steps, units), or of (sequences, units) once a step: name another layer with tap=, or "
            "give the module a method trace(batch)."
        )
    if output.is_complex():
        raise ConfigurationError(
            f"The layer {type(layer).__name__} returns complex numbers, expected real ones: let "
            "torch.view_as_real(h).flatten(2) pass a layer of its own (nn.Identity), which tap= "
            "names, or name another layer."
        )
    if layout.flat:
        return output[:, None]
    return output if layout.batch_first else output.transpose(0, 1)


def _check_rows(layer: nn.Module, hidden: Tensor, n_rows: int) -> None:
    if hidden.shape[0] != n_rows:
        reason = ""
        if isinstance(layer, nn.RNNBase) and hidden.shape[1] == n_rows:
            reason = (
                f"; with batch_first={layer.batch_first} it reads over the batch, not over time"
            )
        raise ConfigurationError(
            f"The layer {type(layer).__name__} returns states of {hidden.shape[0]} sequences of "
            f"{hidden.shape[1]} steps where the batch has {n_rows} sequences{reason}: give it "
            "one row a sequence, name another layer with tap=, or give the module a method "
            "trace(batch)."
        )
