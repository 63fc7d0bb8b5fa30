"""Exact gradients of each sequence's loss with respect to all parameters of a recurrent classifier.

A whole batch of per-sample gradients is one backward recursion over the steps and a batched product
a layer, without a Python loop over samples (see ``recurrence``). Those of an embedding are kept by
step and never written out.

Source: Pruthi et al., "Estimating Training Data Influence by Tracing Gradient Descent", 2020.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from rnnrepair.influence.gradients.directions import Directions
from rnnrepair.influence.gradients.parts import Parts
from rnnrepair.influence.gradients.recurrence import Memory, names_of_layer, recurrences
from rnnrepair.influence.gradients.tokens import QueryTokens, TokenGradients
from rnnrepair.sequences import SequenceBatch

# Sequences whose gradients exist at the same time (53,000 parameters: 27 MB).
GRADIENT_BATCH = 128


@dataclass(frozen=True)
class _Gradients:
    """Gradients of B losses.

    Attributes:
        layers: blocks of each recurrent layer, see ``Recurrence.gradients``.
        head: (B, C, d + 1), weight and bias.
        tokens: of the embedding; None without one.
    """

    layers: list[list[Tensor]]
    head: Tensor
    tokens: TokenGradients | None

    def flat(self) -> list[Tensor]:
        """Return (B, columns) of every block but the embedding's."""
        return [b.flatten(1) for b in (*(b for layer in self.layers for b in layer), self.head)]


class LossGradients:
    """Gradients of cross entropies, and their products, at one checkpoint.

    The network is read in evaluation mode: dropout is not applied. Parameters that are not trained
    (``requires_grad``) have no gradient. Batches may lie anywhere; what is returned lies where the
    network does.
    """

    def __init__(self, parts: Parts, weights: Mapping[str, Tensor] | None = None) -> None:
        """Copy the weights as they are now: training that goes on changes nothing.

        Args:
            parts: of the network.
            weights: to take in the place of the network's, by the names of ``Parts.parameters``;
                those that are missing are the network's.

        Raises:
            ConfigurationError: no parameter is trained.
        """
        taken = {**parts.parameters(), **(weights or {})}
        trained = parts.trained().keys()
        self._layers = recurrences(parts.rnn, taken)
        self._frozen = [
            [name not in trained for name in names_of_layer(number)]
            for number in range(len(self._layers))
        ]
        self._head, self._head_bias = (
            taken[f"head.{kind}"].detach().clone() for kind in ("weight", "bias")
        )
        self._head_frozen = [f"head.{kind}" not in trained for kind in ("weight", "bias")]
        self._embedding = None
        if parts.embedding is not None:
            self._embedding = taken["embedding.weight"].detach().clone()
        self._trains_embedding = "embedding.weight" in trained
        self._trained = trained

    def gradients(self, batch: SequenceBatch) -> dict[str, Tensor]:
        """Return the (B, ...) gradients of each sequence's cross entropy by trained parameter.

        Names are ``embedding.weight``, those of torch for the recurrent layers, ``head.weight`` and
        ``head.bias``.
        """
        found = self._of(batch)
        named: dict[str, Tensor] = {}
        if found.tokens is not None and self._embedding is not None:
            named["embedding.weight"] = found.tokens.rows(len(self._embedding))
        for number, (layer, blocks) in enumerate(zip(self._layers, found.layers, strict=True)):
            named |= dict(zip(names_of_layer(number), layer.by_parameter(blocks), strict=True))
        named |= {"head.weight": found.head[:, :, :-1], "head.bias": found.head[:, :, -1]}
        return {name: gradient for name, gradient in named.items() if name in self._trained}

    @torch.no_grad()
    def logits(self, batch: SequenceBatch) -> Tensor:
        """Return the (B, C) logits that the gradients are those of."""
        batch = batch.to(self._head.device)
        return self._read(self._forward(batch)[-1], batch)[1]

    def squared_norms(self, batch: SequenceBatch) -> Tensor:
        """Return (B,) squared norms of the gradients."""
        return torch.cat([_squared_norms(self._of(part)) for part in _split(batch)])

    def products(
        self, train: Iterable[SequenceBatch], queries: SequenceBatch, *, cosine: bool = False
    ) -> Tensor:
        """Return (M, N) products with N training sequences, in the order of the stream.

        Above 0 where a step on the training sequence lowers the loss of the query. Both losses are
        those of the true labels.

        Args:
            train: batches of training sequences.
            queries: M sequences.
            cosine: divide by the norms of both gradients.
        """
        return self.along(train, self.directions(queries, unit=cosine), cosine=cosine)

    def directions(self, queries: SequenceBatch, *, unit: bool = False) -> Directions:
        """Return the gradients of M sequences as directions; of length 1 where ``unit``."""
        found = [self._of(part) for part in _split(queries)]
        flat = [torch.cat(blocks) for blocks in zip(*(q.flat() for q in found), strict=True)]
        tokens = [q.tokens for q in found if q.tokens is not None]
        of_tokens = None
        if tokens and self._embedding is not None:
            of_tokens = QueryTokens.of(tokens, len(self._embedding))
        directions = Directions(flat, of_tokens)
        if unit:
            norm = torch.cat([_squared_norms(q) for q in found]).sqrt()
            directions = directions.scaled(1 / norm.clamp_min(torch.finfo(norm.dtype).tiny))
        return directions

    def directions_of(self, named: Mapping[str, Tensor]) -> Directions:
        """Return (M, ...) numbers for every trained parameter as directions."""
        some = next(iter(named.values()))

        def part(name: str, weight: Tensor) -> Tensor:
            if name in named:
                return named[name].to(weight.device)
            return weight.new_zeros(len(some), *weight.shape)

        flat = []
        for number, layer in enumerate(self._layers):
            weights = (layer.w_ih, layer.w_hh, layer.b_ih, layer.b_hh)
            names = names_of_layer(number)
            flat += layer.blocks([part(n, w) for n, w in zip(names, weights, strict=True)])
        weight, bias = part("head.weight", self._head), part("head.bias", self._head_bias)
        flat.append(torch.cat([weight, bias[:, :, None]], 2))
        tokens = None
        if self._embedding is not None and self._trains_embedding:
            tokens = QueryTokens.dense(part("embedding.weight", self._embedding))
        return Directions([block.flatten(1) for block in flat], tokens)

    def along(
        self, train: Iterable[SequenceBatch], directions: Directions, *, cosine: bool = False
    ) -> Tensor:
        """Return (M, N) products of M directions with the gradients of N training sequences.

        Args:
            train: batches of training sequences.
            directions: in the space of the parameters.
            cosine: divide by the norms of the training sequences' gradients.
        """
        scores = []
        for batch in train:
            for part in _split(batch):
                found = self._of(part)
                pairs = zip(directions.flat, found.flat(), strict=True)
                score = torch.stack([direction @ train.T for direction, train in pairs]).sum(0)
                if directions.tokens is not None and found.tokens is not None:
                    score = score + directions.tokens.products(found.tokens)
                if cosine:
                    norm = _squared_norms(found).sqrt()
                    score = score / norm.clamp_min(torch.finfo(norm.dtype).tiny)
                scores.append(score)
        return torch.cat(scores, 1)

    def _forward(self, batch: SequenceBatch) -> list[Memory]:
        """Return what every layer keeps; B sequences, on the network's device."""
        inputs = batch.zero_padded
        if self._embedding is not None:
            inputs = self._embedding[inputs]
        steps = inputs.transpose(0, 1)
        memories = []
        for layer in self._layers:
            memories.append(layer.forward(steps))
            steps = memories[-1].hidden[1:]
        return memories

    def _read(self, top: Memory, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        """Return the (B, d) last states and the (B, C) logits."""
        final = top.hidden[batch.lengths, torch.arange(len(batch), device=self._head.device)]
        return final, final @ self._head.T + self._head_bias

    @torch.no_grad()
    def _of(self, batch: SequenceBatch) -> _Gradients:
        batch = batch.to(self._head.device)
        memories = self._forward(batch)
        final, logits = self._read(memories[-1], batch)
        error = logits.softmax(1) - one_hot(batch.label, logits.shape[1])
        head = error[:, :, None] * torch.cat([final, torch.ones_like(final[:, :1])], 1)[:, None]
        # The loss reads the last real step, so what lies on padding stays zero.
        d_outputs = torch.zeros_like(memories[-1].hidden[1:])
        rows = torch.arange(len(batch), device=self._head.device)
        d_outputs[batch.lengths - 1, rows] = error @ self._head
        blocks: list[list[Tensor]] = []
        read = range(len(self._layers) - 1, -1, -1)
        for number in read:
            layer, memory = self._layers[number], memories[number]
            deltas = layer.backward(memory, d_outputs)
            of_layer = layer.gradients(memory, deltas)
            _silence(layer.by_parameter(of_layer), self._frozen[number])
            blocks.insert(0, of_layer)
            if number > 0 or self._trains_embedding:
                d_outputs = layer.d_inputs(deltas)
        _silence([head[:, :, :-1], head[:, :, -1]], self._head_frozen)
        tokens = None
        if self._trains_embedding:
            tokens = TokenGradients(batch.inputs, d_outputs.transpose(0, 1), batch.mask)
        return _Gradients(blocks, head, tokens)


def _silence(gradients: list[Tensor], frozen: list[bool]) -> None:
    """Make the gradients of parameters that are not trained 0, in place."""
    for gradient, still in zip(gradients, frozen, strict=True):
        if still:
            gradient.zero_()


def _squared_norms(found: _Gradients) -> Tensor:
    total = torch.stack([block.square().sum(1) for block in found.flat()]).sum(0)
    return total if found.tokens is None else total + found.tokens.squared_norms()


def _split(batch: SequenceBatch) -> Iterator[SequenceBatch]:
    for rows in torch.arange(len(batch)).split(GRADIENT_BATCH):
        yield batch.rows(slice(int(rows[0]), int(rows[-1]) + 1))
