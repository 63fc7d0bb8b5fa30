"""How hard samples are to read, told without the network."""

from collections.abc import Iterable

import torch
from torch import Tensor

from rnnrepair.edits.sweep import Sweep
from rnnrepair.edits.sweeps import still, sweeps_of
from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.least import least
from rnnrepair.patterns.pools import distances_to, make_pool

# Training samples of each class that are compared with, at least, and of all classes.
OF_A_CLASS = 20
OF_ALL = 1500
NEAREST = 5


def difficulty(context: PatternContext) -> Tensor:
    """Return (S,) float32: distance to the nearest of the own class over that to others.

    That is the margin of a classifier by nearest neighbours. The network's own margin would not do:
    what makes failures of a pattern makes its margins small too, and among samples of equal margin
    a network that knows what it does not know fails as often outside of the pattern as in it.

    For the harder half the classifier knows all edits: the nearest are taken among edited training
    samples of every kind. A sample that is hard only because of an edit gets a low difficulty, and
    is compared with easy samples; one that is hard for another reason is compared with hard ones.
    """
    plain = _ratio(context, [still(context.spec)])
    sweeps = sweeps_of(context.spec)
    if not sweeps:
        return plain
    hard = harder_half(plain)
    # Below all of the harder half, in their order.
    found = plain - plain.max() - 1
    found[hard] = _ratio(context.select(hard), [still(context.spec), *sweeps])
    return found


def harder_half(difficulty: Tensor) -> Tensor:
    """Return the rows of the harder half of (S,) samples, ascending."""
    return difficulty.argsort(stable=True)[len(difficulty) // 2 :].sort().values


def _ratio(context: PatternContext, sweeps: Iterable[Sweep]) -> Tensor:
    """Return (S,) distances to the own class over those to others, the least of all edits."""
    classes = context.original_label.unique().tolist()
    n = max(OF_A_CLASS, OF_ALL // len(classes))
    own = torch.full((len(context),), torch.inf)
    other = own.clone()
    for sweep in sweeps:
        for label in classes:
            pool = make_pool(context, sweep, label, n, purpose="difficulty")
            apart = distances_to(pool, context.vectors, context.index)
            mean = least(apart, NEAREST).mean(1)
            is_own = context.label == label
            own = torch.where(is_own, torch.minimum(own, mean), own)
            other = torch.where(is_own, other, torch.minimum(other, mean))
    # A class without training samples is as hard as can be.
    return own / other.clamp_min(torch.finfo(torch.float32).tiny)
