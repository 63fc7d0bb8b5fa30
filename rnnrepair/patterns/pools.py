"""Training samples, each with one edit, and how near samples come to them."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rnnrepair.edits import apply_edits
from rnnrepair.edits.sweep import Sweep
from rnnrepair.patterns.context import PatternContext
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import Kind

# Training samples of a class, bin of a sweep, at least.
LEAST = 8
# Sequences edited at a time.
EDITED = 500


@dataclass(frozen=True)
class Pool:
    """Edited training samples of one class, at places that ascend evenly (n of them).

    Attributes:
        vectors: (n, D).
        parent: (n,) int64 indices of the samples that they were made from.
        place: (n,) float64, where on the sweep their edits are.
    """

    vectors: Tensor
    parent: Tensor
    place: Tensor


@dataclass(frozen=True)
class Near:
    """The nearest of a pool, of the sample's own class, by bins of their places.

    Attributes:
        distance: (S, bins, near) float32 ascending; infinite where there is none.
        parent: (S, bins, near) int64.
        place: (S, bins, near) float64.
    """

    distance: Tensor
    parent: Tensor
    place: Tensor

    def mean(self, first: int, last: int) -> Tensor:
        """Return the (S,) mean distance to the nearest in the bins ``first`` to ``last - 1``."""
        distance = self.distance[:, first:last].flatten(1)
        return distance.topk(self.distance.shape[2], 1, largest=False).values.mean(1)

    def all_bins(self) -> "Near":
        """Return the nearest of all bins together, as one bin."""
        n = self.distance.shape[2]
        distance, column = self.distance.flatten(1).topk(n, 1, largest=False)
        parent, place = (t.flatten(1).gather(1, column) for t in (self.parent, self.place))
        return Near(distance[:, None], parent[:, None], place[:, None])


def size_of_bins(pool: int, bins: int, n_classes: int) -> int:
    """Return how many training samples of each class a bin has."""
    return max(LEAST, pool // (bins * n_classes))


def make_pool(
    context: PatternContext,
    sweep: Sweep,
    label: int,
    n: int,
    low: float = 0.0,
    high: float = 1.0,
    purpose: str = "search",
) -> Pool:
    """Draw n training samples of a class, with replacement, and edit each.

    Args:
        context: the data.
        sweep: of the edits.
        label: of the samples.
        n: how many.
        low: least place of the edits.
        high: largest.
        purpose: of the draw: another one draws others.
    """
    generator = torch_generator(context.seed, "patterns", purpose, sweep.name, label)
    own = context.originals[context.original_label == label]
    if len(own) == 0:
        return Pool(context.vectors[:0], own, own.double())
    parents = context.fetch(own[torch.randint(len(own), (n,), generator=generator)])
    part = (torch.arange(n) + torch.rand(n, generator=generator, dtype=torch.float64)) / n
    place = low + (high - low) * part
    if context.spec.kind == Kind.TOKENS:
        return Pool(context.as_vectors(parents), parents.index, place)
    edits = sweep.draw(place, generator)
    vectors = []
    for rows in torch.arange(n).split(EDITED):
        some = parents.rows(rows)
        inputs = apply_edits(some.inputs, edits.select(rows), some.lengths)
        vectors.append(context.as_vectors(replace(some, inputs=inputs)))
    return Pool(torch.cat(vectors), parents.index, place)


def near(
    context: PatternContext,
    sweep: Sweep,
    bins: int,
    bin_size: int,
    nearest: int,
    low: float = 0.0,
    high: float = 1.0,
    purpose: str = "search",
) -> Near:
    """Return how near every sample comes to edited training samples of its class, never itself.

    Args:
        context: the data.
        sweep: of the edits.
        bins: equal parts of the places.
        bin_size: training samples of each class and bin.
        nearest: how many are kept, of each bin.
        low: see ``make_pool``, as the next two.
        high: largest place.
        purpose: of the draw.
    """
    shape = (len(context), bins, nearest)
    distance = torch.full(shape, torch.inf)
    parent = torch.full(shape, -1)
    place = torch.full(shape, torch.nan, dtype=torch.float64)
    for label in context.label.unique().tolist():
        rows = (context.label == label).nonzero()[:, 0]
        pool = make_pool(context, sweep, label, bins * bin_size, low, high, purpose)
        if len(pool.parent) == 0:
            continue
        apart = torch.cdist(context.vectors[rows], pool.vectors)
        apart = apart.masked_fill(context.index[rows, None] == pool.parent, torch.inf)
        found = apart.view(len(rows), bins, bin_size).topk(nearest, 2, largest=False)
        distance[rows] = found.values
        column = found.indices + bin_size * torch.arange(bins)[:, None]
        parent[rows], place[rows] = pool.parent[column], pool.place[column]
    return Near(distance, parent, place)
