"""The order of samples that are equally near: by chance, and the same in a whole run.

Data sets come sorted, by class or by source, so that the order of their rows would decide which
class fills up a ranking.
"""

import numpy as np
import torch
from torch import Tensor

from rnnrepair.seeding import derive_seed


def tie_order(index: Tensor, seed: int) -> Tensor:
    """Return the (N,) int64 rows in the order in which equally near samples are taken.

    Every sample has a random priority that depends on its index and the seed alone: it stays the
    same when other samples are left out, and when injected ones come later.

    Args:
        index: (N,) indices of the samples.
        seed: of the run.
    """
    if len(index) == 0:
        return index
    # Random numbers are drawn one after the other: more of them change none of the first.
    rng = np.random.default_rng(derive_seed(seed, "ties"))
    priority = rng.random(int(index.max()) + 1)
    return torch.from_numpy(priority[index.numpy()].argsort())
