"""Exact gradients of each sequence's loss with respect to all parameters of an LSTM classifier.

The gradient of a sequence's loss is a sum of outer products: with delta_t the derivative with
respect to the gates before their non-linearities and z_t = [x_t, h_{t-1}, 1, 1], the gradient of
[W_ih | W_hh | b_ih | b_hh] is sum_t delta_t z_t'. So a whole batch of per-sample gradients is one
backward recursion over the steps and one batched product, without a Python loop over samples.

Source: Pruthi et al., "Estimating Training Data Influence by Tracing Gradient Descent", 2020.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import SequenceBatch

# Sequences whose gradients exist at the same time (53,000 parameters: 27 MB).
GRADIENT_BATCH = 128


class LossGradients:
    """Gradients of cross entropies, and their products, at one checkpoint.

    Batches may lie anywhere; what is returned lies where the network does.
    """

    def __init__(self, rnn: nn.Module, head: nn.Module) -> None:
        """Take a network in evaluation mode (dropout is not applied).

        Args:
            rnn: single-layer ``nn.LSTM`` (F inputs, d units), batch first.
            head: linear layer (d to C) on the last hidden state.

        Raises:
            ConfigurationError: another kind of network.
        """
        _check(rnn, head)
        self._rnn = rnn
        self._head = head

    def gradients(self, batch: SequenceBatch) -> Tensor:
        """Return (B, P) gradients of each sequence's cross entropy.

        The P columns are the entries of [W_ih | W_hh | b_ih | b_hh], row by row, and then those
        of [W_head | b_head].
        """
        return torch.cat(self._blocks(batch), 1)

    @torch.no_grad()
    def logits(self, batch: SequenceBatch) -> Tensor:
        """Return the (B, C) logits that the gradients are those of."""
        w = _Weights.of(self._rnn, self._head)
        return _forward(w, batch.to(w.head.device)).final @ w.head.T + w.head_bias

    def squared_norms(self, batch: SequenceBatch) -> Tensor:
        """Return (B,) squared norms of the gradients."""
        parts = [self._blocks(part) for part in _split(batch)]
        return torch.cat([r.square().sum(1) + h.square().sum(1) for r, h in parts])

    def products(self, train: Iterable[SequenceBatch], queries: SequenceBatch) -> Tensor:
        """Return (M, N) products with N training sequences, in the order of the stream.

        Above 0 where a step on the training sequence lowers the loss of the query. Both losses are
        those of the true labels.
        """
        recurrent, linear = (
            torch.cat(blocks)
            for blocks in zip(*(self._blocks(part) for part in _split(queries)), strict=True)
        )
        scores = []
        for batch in train:
            for part in _split(batch):
                train_recurrent, train_linear = self._blocks(part)
                scores.append(recurrent @ train_recurrent.T + linear @ train_linear.T)
        return torch.cat(scores, 1)

    @torch.no_grad()
    def _blocks(self, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        """Return the gradients of the recurrent layer and of the head, (B, ...) each."""
        w = _Weights.of(self._rnn, self._head)
        batch = batch.to(w.head.device)
        state = _forward(w, batch)
        error = (state.final @ w.head.T + w.head_bias).softmax(1)
        error -= one_hot(batch.label, error.shape[1])
        delta = _backward(w, state, error, batch)
        recurrent = delta.permute(1, 2, 0) @ state.operand.transpose(0, 1)
        ones = torch.ones_like(error[:, :1])
        linear = error[:, :, None] * torch.cat([state.final, ones], 1)[:, None]
        return recurrent.flatten(1), linear.flatten(1)


@dataclass(frozen=True)
class _Weights:
    """The parameters, gates in PyTorch's order: input, forget, cell, output.

    Attributes:
        gates: (F + d + 2, 4d), columns of ``z @ gates`` are the gates of z = [x, h, 1, 1].
        recurrent: (4d, d), W_hh.
        head: (C, d).
        head_bias: (C,).
    """

    gates: Tensor
    recurrent: Tensor
    head: Tensor
    head_bias: Tensor

    @classmethod
    def of(cls, rnn: nn.Module, head: nn.Module) -> "_Weights":
        p = dict(rnn.named_parameters())
        biases = torch.stack([p["bias_ih_l0"], p["bias_hh_l0"]], 1)
        gates = torch.cat([p["weight_ih_l0"], p["weight_hh_l0"], biases], 1)
        h = dict(head.named_parameters())
        return cls(gates.T.contiguous(), p["weight_hh_l0"], h["weight"], h["bias"])


@dataclass(frozen=True)
class _State:
    """What the backward recursion needs of the forward one (step first: T, B, ...).

    Attributes:
        operand: (T, B, F + d + 2), z_t = [x_t, h_{t-1}, 1, 1].
        gate: (T, B, 4, d) after the non-linearities: input, forget, cell, output.
        cell: (T + 1, B, d), c_0 = 0 first.
        squashed: (T, B, d), tanh of c_1 .. c_T.
        final: (B, d), h at the last real step.
    """

    operand: Tensor
    gate: Tensor
    cell: Tensor
    squashed: Tensor
    final: Tensor


def _forward(w: _Weights, batch: SequenceBatch) -> _State:
    inputs = batch.inputs.transpose(0, 1)
    n_steps, size, n_features = inputs.shape
    d = w.recurrent.shape[1]
    operand = inputs.new_ones(n_steps, size, n_features + d + 2)
    operand[:, :, :n_features] = inputs
    gate = inputs.new_empty(n_steps, size, 4, d)
    cell = inputs.new_zeros(n_steps + 1, size, d)
    squashed = inputs.new_empty(n_steps, size, d)
    hidden = inputs.new_zeros(n_steps + 1, size, d)
    for t in range(n_steps):
        operand[t, :, n_features:-2] = hidden[t]
        torch.mm(operand[t], w.gates, out=gate[t].view(size, 4 * d))
        gate[t, :, :2].sigmoid_()
        gate[t, :, 2].tanh_()
        gate[t, :, 3].sigmoid_()
        enters, keeps, candidate, leaves = gate[t].unbind(1)
        torch.mul(enters, candidate, out=cell[t + 1]).addcmul_(keeps, cell[t])
        torch.tanh(cell[t + 1], out=squashed[t])
        torch.mul(leaves, squashed[t], out=hidden[t + 1])
    final = hidden[batch.lengths, torch.arange(size, device=inputs.device)]
    return _State(operand, gate, cell, squashed, final)


def _backward(w: _Weights, state: _State, error: Tensor, batch: SequenceBatch) -> Tensor:
    """Return (T, B, 4d) derivatives of the losses with respect to the gates; 0 on padding."""
    n_steps, size, _, d = state.gate.shape
    slope = _slopes(state.gate)
    # d hidden / d cell at every step: o (1 - tanh(c)^2).
    through = (1 - state.squashed**2) * state.gate[:, :, 3]
    delta = torch.empty_like(state.gate)
    from_loss = error @ w.head
    d_hidden = torch.zeros_like(from_loss)
    d_cell = torch.zeros_like(from_loss)
    for t in range(n_steps - 1, -1, -1):
        # The loss reads the last real step, so what lies on padding stays zero.
        d_hidden += from_loss * (batch.lengths == t + 1)[:, None]
        d_cell.addcmul_(d_hidden, through[t])
        enters, keeps, candidate, _ = state.gate[t].unbind(1)
        torch.mul(d_cell, candidate, out=delta[t, :, 0])
        torch.mul(d_cell, state.cell[t], out=delta[t, :, 1])
        torch.mul(d_cell, enters, out=delta[t, :, 2])
        torch.mul(d_hidden, state.squashed[t], out=delta[t, :, 3])
        delta[t] *= slope[t]
        d_cell *= keeps
        torch.mm(delta[t].view(size, 4 * d), w.recurrent, out=d_hidden)
    return delta.flatten(2)


def _slopes(gate: Tensor) -> Tensor:
    """Return the derivatives of the gates' non-linearities, from their values (..., 4, d)."""
    slope = gate * (1 - gate)
    slope[..., 2, :] = 1 - gate[..., 2, :] ** 2
    return slope


def _split(batch: SequenceBatch) -> Iterable[SequenceBatch]:
    for rows in torch.arange(len(batch)).split(GRADIENT_BATCH):
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        yield batch.rows(part)


def _check(rnn: nn.Module, head: nn.Module) -> None:
    fits = (
        isinstance(rnn, nn.LSTM)
        and rnn.num_layers == 1
        and rnn.batch_first
        and rnn.bias
        and not rnn.bidirectional
        and not rnn.proj_size
    )
    if not fits:
        raise ConfigurationError(
            "Exact gradients need a single-layer, one-directional, batch-first nn.LSTM with bias "
            f"and no projection, got {rnn}: choose another influence method, or such a network."
        )
    if not isinstance(head, nn.Linear) or head.bias is None:
        raise ConfigurationError(f"Exact gradients need an nn.Linear head with bias, got {head}.")
