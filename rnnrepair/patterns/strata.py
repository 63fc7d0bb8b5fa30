"""Which samples may be compared: those that are as hard as each other."""

import torch
from torch import Tensor

from rnnrepair.patterns.pattern import Alike

# Where samples of similar difficulty part, as shares of all, hardest first. Parts are so large that
# a pattern of one sample in a hundred does not fill one: it is compared with samples beside it.
# None reaches beyond the harder half: edits are looked for there alone, and what is not looked at
# fails less.
PARTS = (0.04, 0.08, 0.16, 0.32, 0.5)


def strata_of(difficulty: Tensor) -> Tensor:
    """Return (S,) int64: parts of samples of similar difficulty, 0 the hardest.

    Args:
        difficulty: (S,).
    """
    order = difficulty.argsort(descending=True, stable=True)
    place = torch.arange(len(order), dtype=torch.float64) / len(order)
    stratum = torch.empty_like(order)
    stratum[order] = torch.bucketize(place, torch.tensor(PARTS, dtype=torch.float64), right=True)
    return stratum


def comparable(stratum: Tensor, alike: Alike, label: Tensor) -> Tensor:
    """Return (S,) int64: samples with the same number may be compared.

    Args:
        stratum: (S,) see ``strata_of``; -1 stays.
        alike: what they must have in common.
        label: (S,) int64 classes.
    """
    parts = stratum if alike.by_difficulty else stratum.clamp_max(0)
    of_class = parts * (int(label.max()) + 1) + label
    return torch.where(parts >= 0, of_class, -1) if alike.by_class else parts
