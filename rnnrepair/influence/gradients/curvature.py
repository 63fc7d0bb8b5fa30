"""Products of the losses' second derivatives with directions, without any matrix of them.

The cells are explicit (``run_cells``), so that forward-mode derivatives pass through them, on any
device. Several directions share all work that does not depend on them.

Source: Pearlmutter, "Fast Exact Multiplication by the Hessian", 1994; for the Gauss-Newton matrix
Schraudolph, "Fast Curvature Matrix-Vector Products for Second-Order Gradient Descent", 2002.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vjp, vmap
from torch.nn.functional import cross_entropy

from rnnrepair.influence.gradients.layout import Layout
from rnnrepair.influence.gradients.parts import Parts
from rnnrepair.network import run_cells
from rnnrepair.sequences import SequenceBatch

# Numbers of hidden states, of all directions, that are worked on at once: about half a GB of what
# lies between them.
STATES = 5_000_000


class _Reader(nn.Module):
    """The network as its parts, with explicit cells."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.embedding, self.rnn, self.head = parts.embedding, parts.rnn, parts.head

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, C) logits."""
        if self.embedding is not None:
            inputs = self.embedding.weight[inputs]
        top = run_cells(self.rnn, inputs, lengths)[-1].hidden
        return self.head(top[torch.arange(len(top), device=top.device), lengths - 1])


class Curvature:
    """First and second derivatives of the losses along directions.

    Vectors are (P,) numbers of the trained parameters, see ``Layout``. Losses are cross entropies,
    in nats, of the network in evaluation mode; where a method returns sums over a batch, the caller
    divides.
    """

    def __init__(self, parts: Parts) -> None:
        """Take the parts; weights are given with every call, those of frozen ones excepted.

        Raises:
            ConfigurationError: no parameter is trained.
        """
        self.layout = Layout.of(parts)
        self._reader = _Reader(parts)
        self._width = parts.rnn.hidden_size * parts.rnn.num_layers
        own = {id(weight): name for name, weight in self._reader.named_parameters()}
        self._names = {name: own[id(weight)] for name, weight in parts.trained().items()}

    def gradient(self, weights: Tensor, batch: SequenceBatch) -> Tensor:
        """Return the (P,) gradient of the sum of the losses of B sequences."""
        total = torch.zeros_like(weights)
        for part in self._split(weights, batch, 1):
            total += grad(self._summed, has_aux=True)(weights, part)[0]
        return total

    def hessian_products(
        self, weights: Tensor, batch: SequenceBatch, directions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Multiply the Hessian of the sum of the losses with M directions.

        Args:
            weights: (P,) at which derivatives are taken.
            batch: B sequences.
            directions: (M, P).

        Returns:
            (M, P) products, and (M, B) derivatives of each loss along the directions, which come
            with them.
        """
        products, slopes = torch.zeros_like(directions), []
        for part in self._split(weights, batch, len(directions)):
            gradient = partial(grad(self._summed, has_aux=True), batch=part)
            _, (product, slope) = _along(gradient, weights, directions)
            products += product
            slopes.append(slope)
        return products, torch.cat(slopes, 1)

    def gauss_newton_products(
        self, weights: Tensor, batch: SequenceBatch, directions: Tensor
    ) -> Tensor:
        """Multiply the Gauss-Newton matrix of the sum of the losses with M directions.

        It is the Hessian as if logits were linear in the parameters: positive semidefinite.

        Args:
            weights: (P,) at which derivatives are taken.
            batch: B sequences.
            directions: (M, P).

        Returns:
            (M, P).
        """
        products = torch.zeros_like(directions)
        for part in self._split(weights, batch, len(directions)):
            logits = partial(self._logits, batch=part)
            found, moved = _along(logits, weights, directions)
            chance = found.softmax(1)
            # The Hessian of cross entropy in the logits: diag(p) - p p'.
            moved = chance * (moved - (chance * moved).sum(2, keepdim=True))
            (back,) = vmap(vjp(logits, weights)[1])(moved)
            products += back
        return products

    def _logits(self, weights: Tensor, batch: SequenceBatch) -> Tensor:
        named = self.layout.named(weights)
        swapped = {self._names[name]: weight for name, weight in named.items()}
        logits: Tensor = functional_call(self._reader, swapped, (batch.zero_padded, batch.lengths))
        return logits

    def _losses(self, weights: Tensor, batch: SequenceBatch) -> Tensor:
        return cross_entropy(self._logits(weights, batch), batch.label, reduction="none")

    def _summed(self, weights: Tensor, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        losses = self._losses(weights, batch)
        return losses.sum(), losses

    def _split(
        self, weights: Tensor, batch: SequenceBatch, n_directions: int
    ) -> Iterator[SequenceBatch]:
        """Yield the sequences, where the weights are, as many at a time as there is room for."""
        per_sequence = batch.inputs.shape[1] * self._width * (1 + n_directions)
        for rows in torch.arange(len(batch)).split(max(1, STATES // per_sequence)):
            yield batch.rows(slice(int(rows[0]), int(rows[-1]) + 1)).to(weights.device)


def _along(function: Callable[[Tensor], Any], at: Tensor, directions: Tensor) -> tuple[Any, Any]:
    """Return the value of a function, and its derivatives along (M, P) directions."""

    def of_one(direction: Tensor) -> Any:
        return jvp(function, (at,), (direction,))

    value, derivatives = vmap(of_one, out_dims=(None, 0))(directions)  # type: ignore[arg-type]
    return value, derivatives
