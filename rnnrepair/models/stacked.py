"""Sequence classifiers of one architecture that learn at the same time, from the same batches.

Their parameters are stacked (R, ...). States are kept as (R, d, B), units before sequences: gates
are then whole blocks of memory.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from rnnrepair.models.sequence_classifier import PADDING, SequenceClassifier
from rnnrepair.sequences import Changes, SequenceBatch

# They treat every number by itself, so that a stack learns as its networks would.
ELEMENTWISE = (Adam, AdamW, RMSprop, SGD)
# Units up to which stacking is faster than training one after another on a CPU. Torch's own layers
# keep a core busy from there on; what is left to save is what networks share, the batches.
SMALL = 32
# Networks from which on it is.
FEW = 4
# As torch clips: keeps a norm of 0 from dividing.
_EPS = 1e-6


@dataclass(frozen=True)
class Clipping:
    """How gradients are clipped, each network's by themselves.

    Attributes:
        value: the largest norm, or the largest size of a number; None for no clipping.
        by_norm: which of the two.
    """

    value: float | None = None
    by_norm: bool = True


def can_stack(network: Any) -> bool:
    """Return whether a network is one whose training a stack repeats: ours, as it is."""
    if type(network) is not SequenceClassifier:
        return False
    return type(network.make_optimizer([nn.Parameter(torch.zeros(1))])) in ELEMENTWISE


def pays(network: SequenceClassifier, n_networks: int, device: torch.device) -> bool:
    """Return whether stacking such networks is faster than training one after another."""
    small = device.type != "cpu" or network.rnn.hidden_size <= SMALL
    return small and n_networks >= FEW


class Stack:
    """R networks with one tensor for each parameter of all of them."""

    def __init__(self, networks: Sequence[SequenceClassifier]) -> None:
        """Copy the weights of R networks of one architecture."""
        self._networks = networks
        named = [dict(network.named_parameters()) for network in networks]
        self.weights = {
            name: nn.Parameter(torch.stack([of_one[name].detach() for of_one in named]))
            for name in named[0]
        }

    def losses(self, batch: SequenceBatch, label: Tensor, kept: Tensor) -> Tensor:
        """Return the (R,) mean losses, with dropout; 0 where a network keeps nothing.

        Dropout masks are the same for all networks, and those that one of them would draw.

        Args:
            batch: B sequences.
            label: (R, B) int64.
            kept: (R, B) bool, what each network learns from.
        """
        loss = cross_entropy(self._logits(batch), label, reduction="none")
        return torch.where(kept, loss, 0).sum(1) / kept.sum(1).clamp_min(1)

    def clip(self, clipping: Clipping) -> None:
        """Clip the gradients of each network."""
        if clipping.value is None:
            return
        gradients = [w.grad for w in self.weights.values() if w.grad is not None]
        if not clipping.by_norm:
            for gradient in gradients:
                gradient.clamp_(-clipping.value, clipping.value)
            return
        norm = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0).sqrt()
        factor = (clipping.value / (norm + _EPS)).clamp_max(1)
        for gradient in gradients:
            gradient.mul_(factor.view(-1, *(1 for _ in gradient.shape[1:])))

    def freeze_padding(self) -> None:
        """Take away the gradient of the vector that stands for padding."""
        if "embedding.weight" in self.weights:
            gradient = self.weights["embedding.weight"].grad
            if gradient is not None:
                gradient[:, PADDING] = 0

    @torch.no_grad()
    def unstack(self) -> None:
        """Give every network its weights."""
        for number, network in enumerate(self._networks):
            for name, parameter in network.named_parameters():
                parameter.copy_(self.weights[name][number])

    def _logits(self, batch: SequenceBatch) -> Tensor:
        """Return (R, C, B)."""
        first, weights = self._networks[0], self.weights
        layer = self._inputs(batch)
        for number in range(first.rnn.num_layers):
            if number and first.rnn.dropout:
                # Drawn as torch draws between layers: step by step, sequence by sequence.
                shape = layer.shape[0], layer.shape[3], layer.shape[2]
                mask = dropout(layer.new_ones(shape), first.rnn.dropout)
                layer = layer * mask.transpose(1, 2)[:, None]
            layer = self._layer(layer, number)
        last = batch.lengths - 1
        final = layer[last, :, :, torch.arange(len(batch), device=last.device)].permute(1, 2, 0)
        mask = dropout(final.new_ones(final.shape[2], final.shape[1]), first.dropout.p)
        bias = weights["head.bias"][:, :, None]
        return torch.baddbmm(bias, weights["head.weight"], final * mask.T)

    def _inputs(self, batch: SequenceBatch) -> Tensor:
        """Return (T, 1, F, B) features, or (T, R, E, B) embedded tokens."""
        inputs = batch.zero_padded
        if inputs.is_floating_point():
            return inputs.permute(1, 2, 0)[:, None].contiguous()
        embedded = self.weights["embedding.weight"][:, inputs]
        mask = dropout(embedded.new_ones(embedded.shape[1:]), self._networks[0].embedding_dropout.p)
        return (embedded * mask).permute(2, 0, 3, 1).contiguous()

    def _layer(self, inputs: Tensor, number: int) -> Tensor:
        """Return (T, R, d, B) states of one layer of (T, R or 1, F, B) inputs."""
        rnn = self._networks[0].rnn
        w_ih, w_hh, b_ih, b_hh = (
            self.weights[f"rnn.{kind}_l{number}"]
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        step = _STEPS[type(rnn)]
        n_networks = len(self._networks)
        hidden = inputs.new_zeros(n_networks, rnn.hidden_size, inputs.shape[3])
        cell, states = hidden, []
        for x in inputs:
            from_inputs = torch.baddbmm(b_ih[:, :, None], w_ih, x.expand(n_networks, -1, -1))
            from_state = torch.baddbmm(b_hh[:, :, None], w_hh, hidden)
            hidden, cell = step(from_inputs, from_state, hidden, cell)
            states.append(hidden)
        return torch.stack(states)


def _lstm(own: Tensor, before: Tensor, _: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    enters, keeps, candidate, leaves = (own + before).chunk(4, 1)
    cell = enters.sigmoid() * candidate.tanh() + keeps.sigmoid() * cell
    return leaves.sigmoid() * cell.tanh(), cell


def _gru(own: Tensor, before: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    (r, z, n), (r_before, z_before, n_before) = own.chunk(3, 1), before.chunk(3, 1)
    candidate = (n + (r + r_before).sigmoid() * n_before).tanh()
    return torch.lerp(candidate, hidden, (z + z_before).sigmoid()), cell


def _rnn(own: Tensor, before: Tensor, _: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    return (own + before).tanh(), cell


# From what comes of the inputs and of the state, and the state and the cell before, to those after.
_STEPS: dict[type, Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    nn.LSTM: _lstm,
    nn.GRU: _gru,
    nn.RNN: _rnn,
}


def train_stacked(
    networks: Sequence[SequenceClassifier],
    changes: Sequence[Changes],
    epochs: Iterable[Iterable[SequenceBatch]],
    clipping: Clipping,
    begin_batch: Callable[[int, int], None],
) -> None:
    """Train R networks in place, each on its own changes of the same batches.

    A network that keeps nothing of a batch makes a step with a gradient of 0 there.

    Args:
        networks: of one architecture; see ``can_stack``.
        changes: of each, ``removed`` and ``relabelled``.
        epochs: batches of every epoch; augmented, nothing left out.
        clipping: of gradients.
        begin_batch: told epoch and number before every batch; seeds what dropout draws.
    """
    stack = Stack(networks)
    device = networks[0].head.weight.device
    optimizer: Optimizer = networks[0].make_optimizer(stack.weights.values())
    make_scheduler = networks[0].make_scheduler
    scheduler = None if make_scheduler is None else make_scheduler(optimizer)
    own = _OwnData(changes)
    for epoch, batches in enumerate(epochs):
        for number, batch in enumerate(batches):
            begin_batch(epoch, number)
            label, kept = (part.to(device) for part in own.of(batch))
            optimizer.zero_grad()
            stack.losses(batch.to(device), label, kept).sum().backward()
            stack.freeze_padding()
            stack.clip(clipping)
            optimizer.step()
        if scheduler is not None:
            scheduler.step()
    stack.unstack()


class _OwnData:
    """What each of R networks makes of a batch."""

    def __init__(self, changes: Sequence[Changes]) -> None:
        self._changes = changes
        # One row more than the highest index stands for all that nobody removes.
        size = 1 + max((int(own.removed.max()) for own in changes if len(own.removed)), default=-1)
        self._kept = torch.ones(len(changes), size + 1, dtype=torch.bool)
        for kept, own in zip(self._kept, changes, strict=True):
            kept[own.removed] = False

    def of(self, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        """Return (R, B) labels and (R, B) bool, what is learnt from."""
        label = torch.stack([relabelled(batch, own) for own in self._changes])
        return label, self._kept[:, batch.index.clamp_max(self._kept.shape[1] - 1)]


def relabelled(batch: SequenceBatch, changes: Changes) -> Tensor:
    """Return the (B,) labels of a batch after a change."""
    label = batch.label.clone()
    if len(changes.relabelled):
        row, place = (batch.index[:, None] == changes.relabelled).nonzero(as_tuple=True)
        label[row] = changes.new_label[place]
    return label
