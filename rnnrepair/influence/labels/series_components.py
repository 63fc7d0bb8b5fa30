"""Series and images as vectors: their steps in order, or what occurs anywhere in them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from rnnrepair.influence.labels.convolutions import RandomConvolutions
from rnnrepair.influence.labels.kernel import kernel_labels
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import SequenceBatch
from rnnrepair.sequences.steps_at import steps_at
from rnnrepair.traces import Traces

# Principal components kept, and samples that they are found on.
COMPONENTS = 50
FOUND_ON = 2000
# Values of a series or an image before that, at most: longer ones are averaged over parts.
VALUES = 1024
# Training samples from which on convolutions may be chosen, and how much smaller the error of a
# regression must be for that.
CHOSEN_ON, CLEARLY = 200, 0.9
# Samples that this is judged on, at most, and kernels of the regression.
CHOSEN_AMONG, CHOSEN_BY = 1000, 250
# Share of the error of a guess below which nothing else is tried.
WELL = 0.25
# Steps of the samples that the choice is made on, about: fewer long series do.
CHOSEN_STEPS = 500_000


@dataclass(frozen=True, eq=False)
class Components:
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
    ) -> "Components":
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


def series_components(
    traces: Traces,
    fetch: Callable[[Tensor], SequenceBatch],
    seed: int,
    group: Tensor | None,
) -> Components:
    """Return the components by which a regression tells the labels of other samples better."""
    order = torch.randperm(len(traces), generator=torch_generator(seed, "components of inputs"))
    rows = order[:FOUND_ON]
    batch, label = fetch(traces.index[rows]), traces.label[rows]
    n_parts = max(1, min(int(traces.lengths.max()), VALUES // batch.inputs.shape[2]))
    averaged = Components.found_on(batch, lambda of: _averaged(of, n_parts).flatten(1))
    if len(rows) < CHOSEN_ON:
        return averaged
    few = rows[: min(CHOSEN_AMONG, max(CHOSEN_ON, CHOSEN_STEPS // batch.inputs.shape[1]))]
    batch, label = fetch(traces.index[few]), traces.label[few]
    together = None if group is None else group[few]
    wanted = one_hot(label, traces.n_classes).float()

    def error(components: Components) -> float:
        values, n_classes = components.of(batch), traces.n_classes
        said = kernel_labels(values, label, n_classes, seed, together, CHOSEN_BY)
        return float((said - wanted).square().sum())

    of_averaged = error(averaged)
    if of_averaged < WELL * float((wanted - wanted.mean(0)).square().sum()):
        return averaged
    convolutions = RandomConvolutions.of(batch, seed)
    convolved = Components.found_on(batch, convolutions.features, alike=True)
    return convolved if error(convolved) < CLEARLY * of_averaged else averaged


def _averaged(batch: SequenceBatch, n_parts: int) -> Tensor:
    """Return (B, parts, F) means over equal parts of (B, T, F) sequences of any lengths.

    The mean over a part is a difference of the running sum, which is linear between steps. Where
    every part is a step, nothing is averaged: most images are so, and it would be a third of the
    time that their features take.
    """
    if bool((batch.lengths == n_parts).all()):
        return batch.inputs[:, :n_parts].float()
    inputs = batch.zero_padded.double()
    running = torch.nn.functional.pad(inputs.cumsum(1), (0, 0, 1, 0))
    edge = torch.linspace(0, 1, n_parts + 1, dtype=torch.float64) * batch.lengths[:, None]
    before = edge.long().clamp_max(inputs.shape[1] - 1)
    sums = [steps_at(running, at) for at in (before, before + 1)]
    at_edge = sums[0] + (edge - before)[..., None] * (sums[1] - sums[0])
    return (at_edge.diff(dim=1) * (n_parts / batch.lengths)[:, None, None]).float()
