"""Training samples as vectors of their inputs alone, whatever their lengths."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array, hstack, vstack
from torch import Tensor
from torch.nn.functional import one_hot

from rnnrepair.influence.inputs import token_bags, tokens_of
from rnnrepair.influence.labels.convolutions import RandomConvolutions
from rnnrepair.influence.labels.kernel import kernel_labels
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
# Training samples from which on convolutions may be chosen, and how much smaller the error of a
# regression must be for that.
CHOSEN_ON, CLEARLY = 200, 0.9
# Steps of the samples that the choice is made on, about: fewer long series do.
CHOSEN_STEPS = 500_000

# (n, k) float32, or (n, V) sparse with rows of length one.
Features: TypeAlias = np.ndarray | csr_array


def input_features(
    traces: Traces,
    fetch: Callable[[Tensor], SequenceBatch],
    seed: int = 0,
    others: Traces | None = None,
    group: Tensor | None = None,
) -> Features:
    """Return N + M vectors: tf-idf of the tokens of a text, principal components of features.

    Components are those of a series cut into as many equal parts as keep it at 1,024 values, and
    averaged over each, so that series of different lengths and speeds can be compared; or those of
    ``RandomConvolutions``, where these tell labels of other samples clearly better: what matters
    may occur anywhere. Static inputs of a sequence count as much as the sequence.

    Args:
        traces: N training samples, one at least.
        fetch: returns the sequences with some indices.
        seed: of the samples that components are found on, and of convolutions.
        others: M samples that are described by what the training samples have in common; none
            where None.
        group: (N,) int64, equal where training samples belong together; None where each stands
            alone.
    """
    every = [traces] if others is None else [traces, others]
    if not fetch(traces.index[:1]).inputs.is_floating_point():
        read = [tokens_of(texts, fetch) for texts in every]
        n_tokens = 1 + max(int(token.max()) for token, _ in read)
        counts = [token_bags(token, offsets, n_tokens) for token, offsets in read]
        weight = idf(counts[0])
        words = csr_array(vstack([tf_idf(count, weight) for count in counts]))
        beside = _static(every, fetch, 1.0)
        return of_length_one(csr_array(hstack([words, beside]))) if beside.shape[1] else words
    components = _chosen(traces, fetch, seed, group)
    batches = (fetch(index) for of in every for index in of.index.split(FETCHED))
    found = torch.cat([components.of(batch) for batch in batches]).numpy()
    spread = float(found[: len(traces)].var(0).sum())
    return np.concatenate([found, _static(every, fetch, spread)], 1)


@dataclass(frozen=True, eq=False)
class _Components:
    """The first principal components of what is seen of series.

    Attributes:
        seen: of B sequences, (B, D).
        mean: (D,).
        direction: (D, k).
    """

    seen: Callable[[SequenceBatch], Tensor]
    mean: Tensor
    direction: Tensor

    @classmethod
    def found_on(
        cls, batch: SequenceBatch, seen: Callable[[SequenceBatch], Tensor], *, alike: bool = False
    ) -> "_Components":
        """Find them on some training samples.

        Args:
            batch: of them.
            seen: what is seen of sequences.
            alike: whether all that is seen counts as much, whatever its variance.
        """
        sample = seen(batch).double()
        mean = sample.mean(0)
        deviation = sample.std(0, correction=0)
        weight = torch.where(deviation > 0, 1 / deviation, 0) if alike else torch.ones_like(mean)
        away = (sample - mean) * weight
        direction = torch.linalg.eigh(away.T @ away).eigenvectors
        kept = weight[:, None] * direction.flip(1)[:, :COMPONENTS]
        return cls(seen, mean.float(), kept.float())

    def of(self, batch: SequenceBatch) -> Tensor:
        """Return (B, k) float32."""
        return (self.seen(batch) - self.mean) @ self.direction


def _chosen(
    traces: Traces,
    fetch: Callable[[Tensor], SequenceBatch],
    seed: int,
    group: Tensor | None,
) -> _Components:
    """Return the components by which a regression tells the labels of other samples better."""
    order = torch.randperm(len(traces), generator=torch_generator(seed, "components of inputs"))
    rows = order[:FOUND_ON]
    batch, label = fetch(traces.index[rows]), traces.label[rows]
    n_parts = max(1, min(int(traces.lengths.max()), VALUES // batch.inputs.shape[2]))
    averaged = _Components.found_on(batch, lambda of: _averaged(of, n_parts).flatten(1))
    if len(rows) < CHOSEN_ON:
        return averaged
    few = rows[: max(CHOSEN_ON, CHOSEN_STEPS // batch.inputs.shape[1])]
    batch, label = fetch(traces.index[few]), traces.label[few]
    convolutions = RandomConvolutions.of(batch, seed)
    convolved = _Components.found_on(batch, convolutions.features, alike=True)
    errors = []
    for components in (averaged, convolved):
        together = None if group is None else group[few]
        said = kernel_labels(components.of(batch), label, traces.n_classes, seed, together)
        errors.append(float((said - one_hot(label, traces.n_classes)).square().sum()))
    return convolved if errors[1] < CLEARLY * errors[0] else averaged


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
