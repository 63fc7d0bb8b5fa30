"""LSTM, GRU and RNN step by step, for what torch does not show: lower layers, cells and gates."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LayerStates:
    """What one layer does in one direction (B sequences, T steps, d units).

    Attributes:
        hidden: (B, T, d).
        cell: (B, T, d) of an LSTM, None of others.
        gates: (B, T, G, d) after the non-linearities, in torch's order: input, forget, candidate,
            output (LSTM); reset, update, candidate (GRU); none (RNN: G = 0).
    """

    hidden: Tensor
    cell: Tensor | None
    gates: Tensor


def run_cells(
    layer: nn.RNNBase,
    inputs: Tensor,
    lengths: Tensor,
    initial: tuple[Tensor, ...] | None = None,
) -> list[LayerStates]:
    """Run all layers and directions; in torch's order: layer by layer, forward before backward.

    Args:
        layer: LSTM, GRU or RNN; dropout between layers is not applied.
        inputs: (B, T, F), whatever ``batch_first`` says.
        lengths: (B,) int64; the backward direction begins at the end of each sequence.
        initial: (layers * directions, B, d) hidden states before the first step, of an LSTM the
            cells too; zeros where None.
    """
    found: list[LayerStates] = []
    directions = ("", "_reverse") if layer.bidirectional else ("",)
    if initial is None:
        initial = _zeros(layer, inputs)
    for number in range(layer.num_layers):
        of_layer = []
        for place, suffix in enumerate(directions, number * len(directions)):
            start = tuple(state[place] for state in initial)
            of_layer.append(_direction(layer, f"_l{number}{suffix}", inputs, lengths, start))
        found += of_layer
        inputs = torch.cat([states.hidden for states in of_layer], -1)
    return found


def _zeros(layer: nn.RNNBase, inputs: Tensor) -> tuple[Tensor, ...]:
    n = layer.num_layers * (2 if layer.bidirectional else 1)
    widths = [layer.proj_size or layer.hidden_size, layer.hidden_size]
    n_states = 2 if isinstance(layer, nn.LSTM) else 1
    return tuple(inputs.new_zeros(n, len(inputs), width) for width in widths[:n_states])


def _direction(
    layer: nn.RNNBase, name: str, inputs: Tensor, lengths: Tensor, start: tuple[Tensor, ...]
) -> LayerStates:
    # Attributes, not parameters: what a parametrization makes is an attribute only.
    w_ih, w_hh = getattr(layer, f"weight_ih{name}"), getattr(layer, f"weight_hh{name}")
    b_ih, b_hh = (getattr(layer, f"bias_{kind}{name}", None) for kind in ("ih", "hh"))
    project = getattr(layer, f"weight_hr{name}", None)
    n_steps = inputs.shape[1]
    backward = name.endswith("_reverse")
    # Taken apart once: a derivative through an index a step takes time quadratic in the steps.
    from_inputs = nn.functional.linear(inputs, w_ih, b_ih).unbind(1)
    # Only an LSTM has a cell; of others it is carried along unread.
    hidden, cell = start[0], start[-1]
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    for t in _order(n_steps, backward=backward):
        new_hidden, new_cell, gates = _step(layer, from_inputs[t], hidden, cell, w_hh, b_hh)
        if project is not None:
            new_hidden = nn.functional.linear(new_hidden, project)
        # Padding: the backward direction has not begun there, the forward one stays as it was.
        real = (t < lengths)[:, None]
        hidden = torch.where(real, new_hidden, hidden)
        cell = torch.where(real, new_cell, cell)
        seen.append((hidden, cell, gates))
    if backward:
        seen.reverse()
    columns = [torch.stack(column, 1) for column in zip(*seen, strict=True)]
    return LayerStates(columns[0], columns[1] if isinstance(layer, nn.LSTM) else None, columns[2])


def _order(n_steps: int, *, backward: bool) -> Iterator[int]:
    return iter(range(n_steps - 1, -1, -1) if backward else range(n_steps))


def _step(
    layer: nn.RNNBase,
    from_inputs: Tensor,
    hidden: Tensor,
    cell: Tensor,
    w_hh: Tensor,
    b_hh: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the new state, the new cell and the (B, G, d) gates."""
    from_state = nn.functional.linear(hidden, w_hh, b_hh)
    n_rows, d = len(hidden), layer.hidden_size
    if isinstance(layer, nn.LSTM):
        before = (from_inputs + from_state).chunk(4, 1)
        # One by one: indices would make the derivatives of these lines slow.
        enters, keeps, leaves = before[0].sigmoid(), before[1].sigmoid(), before[3].sigmoid()
        candidate = before[2].tanh()
        cell = enters * candidate + keeps * cell
        return leaves * cell.tanh(), cell, torch.stack([enters, keeps, candidate, leaves], 1)
    if isinstance(layer, nn.GRU):
        own, before = from_inputs.chunk(3, 1), from_state.chunk(3, 1)
        reset, update = (own[0] + before[0]).sigmoid(), (own[1] + before[1]).sigmoid()
        candidate = (own[2] + reset * before[2]).tanh()
        new = (1 - update) * candidate + update * hidden
        return new, cell, torch.stack([reset, update, candidate], 1)
    total = from_inputs + from_state
    relu = getattr(layer, "nonlinearity", "tanh") == "relu"
    return total.relu() if relu else total.tanh(), cell, total.new_empty(n_rows, 0, d)
