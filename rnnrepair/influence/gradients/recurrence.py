"""LSTM, GRU and RNN layers, forwards and backwards over the steps, for per-sample gradients.

The gradient of a sequence's loss is a sum of outer products over its steps: with delta_t the
derivative with respect to the gates before their non-linearities, that of [W_ih | b_ih] is
sum_t delta_t [x_t, 1]', and that of [W_hh | b_hh] is sum_t delta'_t [h_{t-1}, 1]'. Only in a GRU
the two deltas differ: its reset gate stands between the state and the candidate.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# A gradient with respect to what a sigmoid or tanh returned, carried through it: one pass over it.
sigmoid_backward, tanh_backward = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward


@dataclass(frozen=True)
class Memory:
    """What the backward recursion needs of the forward one (step first: T, B, ...).

    Attributes:
        operand: (T, B, F + 1 + d + 1), [x_t, 1, h_{t-1}, 1].
        hidden: (T + 1, B, d), h_0 = 0 first.
        gate: (T, B, G, d) after the non-linearities, in torch's order.
        inner: (T or T + 1, B, d): cells of an LSTM, c_0 = 0 first; W_hn h + b_hn of a GRU.
    """

    operand: Tensor
    hidden: Tensor
    gate: Tensor
    inner: Tensor


@dataclass(frozen=True)
class Deltas:
    """Derivatives of each sequence's loss; 0 on padding.

    Attributes:
        inputs: (T, B, G d) with respect to W_ih x_t + b_ih.
        states: (T, B, G d) with respect to W_hh h_{t-1} + b_hh; the same tensor where they agree.
        cell: (B, d) with respect to the cell of an LSTM, carried back from step to step.
    """

    inputs: Tensor
    states: Tensor
    cell: Tensor


class Recurrence(ABC):
    """One layer that reads forwards; initial states are 0."""

    n_gates: int
    # Whether both deltas are the same, so that all gradients are one block.
    one_block = True

    def __init__(self, layer: nn.RNNBase, weights: Sequence[Tensor]) -> None:
        """Copy the weights of a layer of a stack.

        Args:
            layer: one-directional, with biases, without projection.
            weights: of the layer, in the order of ``PARAMETERS``.
        """
        self.w_ih, self.w_hh, self.b_ih, self.b_hh = (w.detach().clone() for w in weights)
        self.n_features, self.d = self.w_ih.shape[1], layer.hidden_size
        # Columns of [x, 1] @ from_inputs and [h, 1] @ from_state are the gates.
        self.from_inputs = torch.cat([self.w_ih, self.b_ih[:, None]], 1).T.contiguous()
        self.from_state = torch.cat([self.w_hh, self.b_hh[:, None]], 1).T.contiguous()

    def forward(self, inputs: Tensor) -> Memory:
        """Run over (T, B, F) inputs."""
        n_steps, size, n_features = inputs.shape
        operand = inputs.new_ones(n_steps, size, n_features + self.d + 2)
        operand[:, :, :n_features] = inputs
        memory = Memory(
            operand,
            inputs.new_zeros(n_steps + 1, size, self.d),
            inputs.new_empty(n_steps, size, self.n_gates, self.d),
            inputs.new_zeros(n_steps + 1, size, self.d),
        )
        for t in range(n_steps):
            operand[t, :, n_features + 1 : -1] = memory.hidden[t]
            self._step(memory, t)
        return memory

    def backward(self, memory: Memory, d_outputs: Tensor) -> Deltas:
        """Run back over the steps.

        Args:
            memory: of ``forward``.
            d_outputs: (T, B, d) derivatives of the losses with respect to the states, by what
                reads them above this layer.
        """
        n_steps, size = memory.gate.shape[:2]
        found = self._deltas(memory)
        d_hidden = torch.zeros_like(memory.hidden[0])
        for t in range(n_steps - 1, -1, -1):
            d_hidden += d_outputs[t]
            kept = self._back(memory, found, t, d_hidden)
            torch.mm(found.states[t].view(size, -1), self.w_hh, out=d_hidden)
            if kept is not None:
                d_hidden += kept
        flat = found.inputs.flatten(2)
        states = flat if self.one_block else found.states.flatten(2)
        return Deltas(flat, states, found.cell)

    def d_inputs(self, deltas: Deltas) -> Tensor:
        """Return (T, B, F) derivatives with respect to the inputs."""
        return deltas.inputs @ self.w_ih

    def gradients(self, memory: Memory, deltas: Deltas) -> list[Tensor]:
        """Return per-sample gradients as (B, columns, G d) blocks.

        One block [W_ih, b_ih, W_hh, b_hh]' where both deltas are the same, else one [W_ih, b_ih]'
        and one [W_hh, b_hh]'. Transposed: the product is a fifth faster that way round.
        """
        operand = memory.operand.permute(1, 2, 0)
        of_inputs = deltas.inputs.transpose(0, 1)
        if self.one_block:
            return [operand @ of_inputs]
        cut = self.n_features + 1
        return [operand[:, :cut] @ of_inputs, operand[:, cut:] @ deltas.states.transpose(0, 1)]

    def by_parameter(self, blocks: list[Tensor]) -> list[Tensor]:
        """Return W_ih, W_hh, b_ih and b_hh, (B, ...) each, as views of the blocks."""
        of_inputs, of_state = [self.n_features, 1], [self.d, 1]
        if self.one_block:
            w_ih, b_ih, w_hh, b_hh = blocks[0].split([*of_inputs, *of_state], 1)
        else:
            (w_ih, b_ih), (w_hh, b_hh) = blocks[0].split(of_inputs, 1), blocks[1].split(of_state, 1)
        return [w_ih.transpose(1, 2), w_hh.transpose(1, 2), b_ih[:, 0], b_hh[:, 0]]

    def blocks(self, parameters: Sequence[Tensor]) -> list[Tensor]:
        """Return the blocks that ``by_parameter`` takes apart."""
        w_ih, w_hh, b_ih, b_hh = parameters
        of_inputs = [w_ih.transpose(1, 2), b_ih[:, None]]
        of_state = [w_hh.transpose(1, 2), b_hh[:, None]]
        if self.one_block:
            return [torch.cat([*of_inputs, *of_state], 1)]
        return [torch.cat(part, 1) for part in (of_inputs, of_state)]

    def _deltas(self, memory: Memory) -> Deltas:
        """Return room for (T, B, G, d) deltas, the same for both where they agree."""
        room = torch.empty_like(memory.gate)
        return Deltas(room, room, torch.zeros_like(memory.hidden[0]))

    @abstractmethod
    def _step(self, memory: Memory, t: int) -> None:
        """Write gates, inner values and state of step t."""

    @abstractmethod
    def _back(self, memory: Memory, found: Deltas, t: int, d_hidden: Tensor) -> Tensor | None:
        """Write the deltas of step t; return what reaches the state before past the gates."""


# As torch calls and orders the parameters of a layer.
PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class LSTMRecurrence(Recurrence):
    """Gates: input, forget, candidate, output."""

    n_gates = 4

    def __init__(self, layer: nn.RNNBase, weights: Sequence[Tensor]) -> None:
        """See ``Recurrence``."""
        super().__init__(layer, weights)
        self._gates = torch.cat([self.from_inputs, self.from_state])

    def _step(self, memory: Memory, t: int) -> None:
        gate, cell = memory.gate[t], memory.inner
        torch.mm(memory.operand[t], self._gates, out=gate.view(len(gate), -1))
        gate[:, :2].sigmoid_()
        gate[:, 2].tanh_()
        gate[:, 3].sigmoid_()
        enters, keeps, candidate, leaves = gate.unbind(1)
        torch.mul(enters, candidate, out=cell[t + 1]).addcmul_(keeps, cell[t])
        torch.tanh(cell[t + 1], out=memory.hidden[t + 1]).mul_(leaves)

    def _back(self, memory: Memory, found: Deltas, t: int, d_hidden: Tensor) -> Tensor | None:
        delta, gate, cell, d_cell = found.inputs[t], memory.gate[t], memory.inner, found.cell
        enters, keeps, candidate, leaves = gate.unbind(1)
        squashed = cell[t + 1].tanh()
        d_cell += tanh_backward(d_hidden * leaves, squashed)
        torch.mul(d_cell, candidate, out=delta[:, 0])
        torch.mul(d_cell, cell[t], out=delta[:, 1])
        torch.mul(d_cell, enters, out=delta[:, 2])
        torch.mul(d_hidden, squashed, out=delta[:, 3])
        for through, gates, back in (
            (delta[:, :2], gate[:, :2], sigmoid_backward),
            (delta[:, 2], candidate, tanh_backward),
            (delta[:, 3], leaves, sigmoid_backward),
        ):
            back.grad_input(through, gates, grad_input=through)
        d_cell *= keeps
        return None


class GRURecurrence(Recurrence):
    """Gates: reset, update, candidate."""

    n_gates = 3
    one_block = False

    def _deltas(self, memory: Memory) -> Deltas:
        rooms = (torch.empty_like(memory.gate), torch.empty_like(memory.gate))
        return Deltas(*rooms, torch.zeros_like(memory.hidden[0]))

    def _step(self, memory: Memory, t: int) -> None:
        gate, hidden, d = memory.gate[t], memory.hidden, self.d
        operand, cut = memory.operand[t], self.n_features + 1
        flat = gate.view(len(gate), -1)
        torch.mm(operand[:, :cut], self.from_inputs, out=flat)
        from_state = operand[:, cut:] @ self.from_state
        flat[:, : 2 * d].add_(from_state[:, : 2 * d]).sigmoid_()
        reset, update, candidate = gate.unbind(1)
        memory.inner[t] = from_state[:, 2 * d :]
        candidate.addcmul_(reset, memory.inner[t]).tanh_()
        torch.lerp(candidate, hidden[t], update, out=hidden[t + 1])

    def _back(self, memory: Memory, found: Deltas, t: int, d_hidden: Tensor) -> Tensor | None:
        reset, update, candidate = memory.gate[t].unbind(1)
        own, before = found.inputs[t], found.states[t]
        tanh_backward.grad_input(d_hidden * (1 - update), candidate, grad_input=own[:, 2])
        d_reset = own[:, 2] * memory.inner[t]
        sigmoid_backward.grad_input(d_reset, reset, grad_input=own[:, 0])
        d_update = d_hidden * (memory.hidden[t] - candidate)
        sigmoid_backward.grad_input(d_update, update, grad_input=own[:, 1])
        before[:, :2] = own[:, :2]
        torch.mul(own[:, 2], reset, out=before[:, 2])
        return d_hidden * update


class RNNRecurrence(Recurrence):
    """One gate, the new state itself."""

    n_gates = 1

    def __init__(self, layer: nn.RNNBase, weights: Sequence[Tensor]) -> None:
        """See ``Recurrence``."""
        super().__init__(layer, weights)
        self._gates = torch.cat([self.from_inputs, self.from_state])
        self._relu = getattr(layer, "nonlinearity", "tanh") == "relu"

    def _step(self, memory: Memory, t: int) -> None:
        state = memory.hidden[t + 1]
        torch.mm(memory.operand[t], self._gates, out=state)
        memory.gate[t, :, 0] = state.relu_() if self._relu else state.tanh_()

    def _back(self, memory: Memory, found: Deltas, t: int, d_hidden: Tensor) -> Tensor | None:
        state = memory.gate[t, :, 0]
        slope = (state > 0).to(state) if self._relu else 1 - state**2
        torch.mul(d_hidden, slope, out=found.inputs[t, :, 0])
        return None


KINDS: dict[type[nn.RNNBase], type[Recurrence]] = {
    nn.LSTM: LSTMRecurrence,
    nn.GRU: GRURecurrence,
    nn.RNN: RNNRecurrence,
}


def recurrences(rnn: nn.RNNBase, weights: Mapping[str, Tensor]) -> list[Recurrence]:
    """Return the layers of a stack, the lowest first.

    Args:
        rnn: the stack.
        weights: by torch's names; copied.
    """
    return [
        KINDS[type(rnn)](rnn, [weights[name] for name in names_of_layer(number)])
        for number in range(rnn.num_layers)
    ]


def names_of_layer(number: int) -> list[str]:
    """Return torch's names of the parameters of a layer, in the order of ``PARAMETERS``."""
    return [f"{kind}_l{number}" for kind in PARAMETERS]
