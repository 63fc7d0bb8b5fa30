"""Training samples as vectors of their inputs alone, whatever their lengths."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array, hstack, vstack
from torch import Tensor

from rnnrepair.influence.inputs import token_bags, tokens_of
from rnnrepair.influence.static_inputs import StaticInputs
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces

# Principal components kept of series and images, and samples that they are found on.
COMPONENTS = 50
FOUND_ON = 2000
# Values of a series or an image before that, at most: longer ones are averaged over parts.
VALUES = 1024
# Sequences fetched at a time.
FETCHED = 2000

# (n, k) float32, or (n, V) sparse with rows of length one.
Features: TypeAlias = np.ndarray | csr_array


def input_features(
    traces: Traces,
    fetch: Callable[[Tensor], SequenceBatch],
    seed: int = 0,
    others: Traces | None = None,
) -> Features:
    """Return N + M vectors: tf-idf of the tokens of a text, principal components of features.

    A series is cut into as many equal parts as keep it at 1,024 values, and averaged over each, so
    that series of different lengths and speeds can be compared. Static inputs of a sequence count
    as much as the sequence.

    Args:
        traces: N training samples, one at least.
        fetch: returns the sequences with some indices.
        seed: of the samples that components are found on.
        others: M samples that are described by what the training samples have in common; none
            where None.
    """
    every = [traces] if others is None else [traces, others]
    first = fetch(traces.index[:1]).inputs
    if not first.is_floating_point():
        read = [tokens_of(texts, fetch) for texts in every]
        n_tokens = 1 + max(int(token.max()) for token, _ in read)
        counts = [token_bags(token, offsets, n_tokens) for token, offsets in read]
        weight = idf(counts[0])
        words = csr_array(vstack([tf_idf(count, weight) for count in counts]))
        beside = _static(every, fetch, 1.0)
        return of_length_one(csr_array(hstack([words, beside]))) if beside.shape[1] else words
    n_parts = max(1, min(int(traces.lengths.max()), VALUES // first.shape[2]))
    batches = (fetch(index) for of in every for index in of.index.split(FETCHED))
    values = torch.cat([_averaged(batch, n_parts).flatten(1) for batch in batches])
    found = _principal(values, len(traces), seed).numpy()
    spread = float(found[: len(traces)].var(0).sum())
    return np.concatenate([found, _static(every, fetch, spread)], 1)


def _static(
    every: list[Traces], fetch: Callable[[Tensor], SequenceBatch], spread: float
) -> np.ndarray:
    """Return (N + M, S) static inputs, see ``StaticInputs``; S is 0 where there are none.

    Args:
        every: traces of N training samples, and of M others.
        fetch: returns the sequences with some indices.
        spread: of the sequences.
    """
    n = sum(map(len, every))
    if not fetch(every[0].index[:1]).static:
        return np.empty((n, 0), dtype=np.float32)
    scale = StaticInputs.of(fetch(every[0].index[:FOUND_ON]), spread)
    batches = (fetch(index) for of in every for index in of.index.split(FETCHED))
    return torch.cat([scale.vectors(batch) for batch in batches]).numpy()


def idf(counts: csr_array) -> np.ndarray:
    """Return (V,) float32 weights of tokens, the rarer the larger, from (N, V) counts."""
    weight: np.ndarray = np.log((1 + counts.shape[0]) / (1 + _held(counts).sum(0)))
    return weight.astype(np.float32)


def tf_idf(counts: csr_array, weight: np.ndarray) -> csr_array:
    """Return whether each text holds each token, by the (V,) weights; rows have length one."""
    return of_length_one(_held(counts) @ diags_array(weight))


def of_length_one(rows: csr_array) -> csr_array:
    """Return rows of length one; those of nothing stay."""
    length = np.sqrt(rows.power(2).sum(1)).clip(np.finfo(np.float32).tiny)
    return csr_array(diags_array((1 / length).astype(np.float32)) @ rows)


def _held(counts: csr_array) -> csr_array:
    """Return (N, V) float32: 1 where a text holds a token."""
    return csr_array((np.ones_like(counts.data), counts.indices, counts.indptr), counts.shape)


def _averaged(batch: SequenceBatch, n_parts: int) -> Tensor:
    """Return (B, parts, F) means over equal parts of (B, T, F) sequences of any lengths.

    The mean over a part is a difference of the running sum, which is linear between steps.
    """
    inputs = batch.zero_padded.double()
    running = torch.nn.functional.pad(inputs.cumsum(1), (0, 0, 1, 0))
    edge = torch.linspace(0, 1, n_parts + 1, dtype=torch.float64) * batch.lengths[:, None]
    before = edge.long().clamp_max(inputs.shape[1] - 1)
    sums = [
        running.gather(1, at[..., None].expand(-1, -1, inputs.shape[2]))
        for at in (before, before + 1)
    ]
    at_edge = sums[0] + (edge - before)[..., None] * (sums[1] - sums[0])
    return (at_edge.diff(dim=1) * (n_parts / batch.lengths)[:, None, None]).float()


def _principal(values: Tensor, n: int, seed: int) -> Tensor:
    """Return the (N + M, k) values along the first principal components of the first ``n`` rows."""
    order = torch.randperm(n, generator=torch_generator(seed, "components of inputs"))
    sample = values[order[:FOUND_ON]].double()
    mean = sample.mean(0)
    direction = torch.linalg.eigh((sample - mean).T @ (sample - mean)).eigenvectors
    kept = direction.flip(1)[:, :COMPONENTS].float()
    return (values - mean.float()) @ kept
