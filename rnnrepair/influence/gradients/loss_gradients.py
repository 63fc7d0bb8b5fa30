"""Exact gradients of each sequence's loss with respect to all parameters of a recurrent classifier.

A whole batch of per-sample gradients is one backward recursion over the steps and a batched product
a layer, without a Python loop over samples (see ``recurrence``). Those of an embedding are kept by
step and never written out.

Source: Pruthi et al., "Estimating Training Data Influence by Tracing Gradient Descent", 2020.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from rnnrepair.influence.gradients.parts import Parts
from rnnrepair.influence.gradients.recurrence import PARAMETERS, Memory, recurrences
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

    The network is read in evaluation mode: dropout is not applied. Batches may lie anywhere; what
    is returned lies where the network does.
    """

    def __init__(self, parts: Parts) -> None:
        """Copy the weights as they are now: training that goes on changes nothing."""
        self._parts = parts
        self._layers = recurrences(parts.rnn)
        head = parts.head
        self._head, self._head_bias = (w.detach().clone() for w in (head.weight, head.bias))
        embedding = parts.embedding
        self._embedding = None if embedding is None else embedding.weight.detach().clone()

    def gradients(self, batch: SequenceBatch) -> dict[str, Tensor]:
        """Return the (B, ...) gradients of each sequence's cross entropy by parameter.

        Names are ``embedding.weight``, those of torch for the recurrent layers, ``head.weight`` and
        ``head.bias``.
        """
        found = self._of(batch)
        named: dict[str, Tensor] = {}
        if found.tokens is not None and self._embedding is not None:
            named["embedding.weight"] = found.tokens.rows(len(self._embedding))
        for number, (layer, blocks) in enumerate(zip(self._layers, found.layers, strict=True)):
            names = (f"{kind}_l{number}" for kind in PARAMETERS)
            named |= dict(zip(names, layer.by_parameter(blocks), strict=True))
        return named | {"head.weight": found.head[:, :, :-1], "head.bias": found.head[:, :, -1]}

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
        of_queries = [self._of(part) for part in _split(queries)]
        flat = [torch.cat(blocks) for blocks in zip(*(q.flat() for q in of_queries), strict=True)]
        tokens = self._tokens_of(of_queries)
        norm = torch.cat([_squared_norms(q) for q in of_queries]).sqrt() if cosine else None
        scores = []
        for batch in train:
            for part in _split(batch):
                found = self._of(part)
                pairs = zip(flat, found.flat(), strict=True)
                score = torch.stack([of_query @ of_train.T for of_query, of_train in pairs]).sum(0)
                if tokens is not None and found.tokens is not None:
                    score = score + tokens.products(found.tokens)
                if norm is not None:
                    both = norm[:, None] * _squared_norms(found).sqrt()
                    score = score / both.clamp_min(torch.finfo(both.dtype).tiny)
                scores.append(score)
        return torch.cat(scores, 1)

    def _tokens_of(self, queries: list[_Gradients]) -> QueryTokens | None:
        tokens = [q.tokens for q in queries if q.tokens is not None]
        return QueryTokens(tokens, len(self._embedding)) if self._embedding is not None else None

    def _forward(self, batch: SequenceBatch) -> list[Memory]:
        """Return what every layer keeps; B sequences, on the network's device."""
        inputs = batch.inputs
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
            blocks.insert(0, layer.gradients(memory, deltas))
            if number > 0 or self._embedding is not None:
                d_outputs = layer.d_inputs(deltas)
        tokens = None
        if self._embedding is not None:
            tokens = TokenGradients(batch.inputs, d_outputs.transpose(0, 1), batch.mask)
        return _Gradients(blocks, head, tokens)


def _squared_norms(found: _Gradients) -> Tensor:
    total = torch.stack([block.square().sum(1) for block in found.flat()]).sum(0)
    return total if found.tokens is None else total + found.tokens.squared_norms()


def _split(batch: SequenceBatch) -> Iterator[SequenceBatch]:
    for rows in torch.arange(len(batch)).split(GRADIENT_BATCH):
        yield batch.rows(slice(int(rows[0]), int(rows[-1]) + 1))
