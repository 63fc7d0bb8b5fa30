"""How hard samples are to read, told without the network."""

import torch
from torch import Tensor

from rnnrepair.edits.sweep import still
from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.pools import make_pool

# Training samples of each class that are compared with, at least, and of all classes.
OF_A_CLASS = 20
OF_ALL = 1000
NEAREST = 5


def difficulty(context: PatternContext) -> Tensor:
    """Return (S,) float32: distance to the nearest of the own class over that to others.

    That is the margin of a classifier by nearest neighbours. The network's own margin would not do:
    what makes failures of a pattern makes its margins small too, and among samples of equal margin
    a network that knows what it does not know fails as often outside of the pattern as in it.
    """
    classes = context.original_label.unique().tolist()
    n = max(OF_A_CLASS, OF_ALL // len(classes))
    sweep = still(context.spec.kind)
    own = torch.full((len(context),), torch.inf)
    other = own.clone()
    for label in classes:
        pool = make_pool(context, sweep, label, n, purpose="difficulty")
        apart = torch.cdist(context.vectors, pool.vectors)
        apart = apart.masked_fill(context.index[:, None] == pool.parent, torch.inf)
        mean = apart.topk(NEAREST, 1, largest=False).values.mean(1)
        is_own = context.label == label
        own[is_own] = mean[is_own]
        other = torch.where(is_own, other, torch.minimum(other, mean))
    # A class without training samples is as hard as can be.
    return own / other.clamp_min(torch.finfo(torch.float32).tiny)
