"""Training samples, each with one edit, and how near samples come to them."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rnnrepair.edits import apply_edits
from rnnrepair.edits.sweep import Sweep
from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.least import least, least_with_columns
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import Kind

# Training samples of a class, bin of a sweep, at least.
LEAST = 8
# Sequences edited at a time.
EDITED = 500
# Share of edited training samples that come so near to others of their kind, and how much farther
# away a sample may be that is one of them. Without that limit a recording of nothing explains all
# that is odd: it is nearer to it than any other.
REACHED = 0.95
BEYOND = 1.1


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
class Reach:
    """How near the P edited training samples of a pool come to each other.

    Attributes:
        rows: (R,) int64, the samples that the pool is compared with: those of its class.
        distance: (P, bins, near) float32 ascending, never to edits of the same training sample.
        bin: (P,) int64, where each stands itself.
    """

    rows: Tensor
    distance: Tensor
    bin: Tensor

    @classmethod
    def of(cls, rows: Tensor, pool: Pool, bins: int, nearest: int) -> "Reach":
        """Measure a pool; see ``near``."""
        return cls(
            rows,
            nearest_of_bins(pool.vectors, pool.parent, pool, bins, nearest)[0],
            torch.arange(len(pool.parent)) // (len(pool.parent) // bins),
        )

    def farthest(self, first: int, last: int) -> float:
        """Return how far almost all members of some bins are from the nearest others there."""
        own = self.distance[(self.bin >= first) & (self.bin < last)]
        return BEYOND * float(_mean(own, first, last).quantile(REACHED))


@dataclass(frozen=True)
class Near:
    """The nearest of a pool, of the sample's own class, by bins of their places.

    Attributes:
        distance: (S, bins, near) float32 ascending; infinite where there is none.
        parent: (S, bins, near) int64.
        place: (S, bins, near) float64.
        reaches: of each class that there is a pool of.
    """

    distance: Tensor
    parent: Tensor
    place: Tensor
    reaches: tuple[Reach, ...]

    def mean(self, first: int, last: int) -> Tensor:
        """Return the (S,) mean distance to the nearest in the bins ``first`` to ``last - 1``."""
        return _mean(self.distance, first, last)

    def is_reached(self, first: int, last: int) -> Tensor:
        """Return (S,) bool: samples as near as edited training samples are to each other."""
        farthest = torch.full((len(self.distance),), -torch.inf)
        for reach in self.reaches:
            farthest[reach.rows] = reach.farthest(first, last)
        return self.mean(first, last) <= farthest

    def all_bins(self) -> "Near":
        """Return the nearest of all bins together, as one bin."""
        n = self.distance.shape[2]
        distance, column = least_with_columns(self.distance.flatten(1), n)
        parent, place = (t.flatten(1).gather(1, column) for t in (self.parent, self.place))
        reaches = tuple(
            Reach(r.rows, r.distance.flatten(1).sort().values[:, None, :n], torch.zeros_like(r.bin))
            for r in self.reaches
        )
        return Near(distance[:, None], parent[:, None], place[:, None], reaches)


def _mean(distance: Tensor, first: int, last: int) -> Tensor:
    """Return the (n,) mean of the least of (n, bins, near) distances in some bins."""
    some = distance[:, first:last].flatten(1)
    return least(some, distance.shape[2]).mean(1)


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
    shape, reaches = (len(context), bins, nearest), list[Reach]()
    distance = torch.full(shape, torch.inf)
    parent = torch.full(shape, -1)
    place = torch.full(shape, torch.nan, dtype=torch.float64)
    for label in context.label.unique().tolist():
        rows = (context.label == label).nonzero()[:, 0]
        pool = make_pool(context, sweep, label, bins * bin_size, low, high, purpose)
        if len(pool.parent) == 0:
            continue
        reaches.append(Reach.of(rows, pool, bins, nearest))
        own = context.vectors[rows], context.index[rows]
        distance[rows], column = nearest_of_bins(*own, pool, bins, nearest)
        column = column + bin_size * torch.arange(bins)[:, None]
        parent[rows], place[rows] = pool.parent[column], pool.place[column]
    return Near(distance, parent, place, tuple(reaches))


def nearest_of_bins(
    vectors: Tensor, index: Tensor, pool: Pool, bins: int, nearest: int
) -> tuple[Tensor, Tensor]:
    """Return the nearest of a pool in each bin, as distances and columns (n, bins, nearest).

    Args:
        vectors: (n, D) of samples.
        index: (n,) int64 of them: none is near to what was made of itself.
        pool: equally many of each bin.
        bins: how many.
        nearest: of each.
    """
    apart = distances_to(pool, vectors, index)
    return least_with_columns(apart.view(len(index), bins, -1), nearest)


def distances_to(pool: Pool, vectors: Tensor, index: Tensor) -> Tensor:
    """Return (n, P) float32 distances to a pool, infinite to what was made of a sample itself.

    Args:
        pool: of P edited samples.
        vectors: (n, D) of samples.
        index: (n,) int64 of them.
    """
    apart = torch.cdist(vectors, pool.vectors)
    if bool(torch.isin(pool.parent, index).any()):
        apart.masked_fill_(index[:, None] == pool.parent, torch.inf)
    return apart
