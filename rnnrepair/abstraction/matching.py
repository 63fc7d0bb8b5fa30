"""Matching of states between epochs, so that an id keeps its meaning."""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def match_states(old: Tensor, new: Tensor, n_old: int, n_new: int) -> tuple[Tensor, float]:
    """Renumber new states so that they agree with the old ones on as many steps as possible.

    The same steps are looked at before and after; the best one-to-one renaming is the assignment
    of largest overlap (Hungarian method). New states without a partner get the ids left over.

    Args:
        old: (n,) int64 states of some steps at the last analysed epoch.
        new: (n,) int64 states of the same steps now.
        n_old: number of states then.
        n_new: number of states now.

    Returns:
        (n_new,) int64 new id of every new state, and the drift: share of steps whose state is
        another one after renaming.

    Example:
        >>> old, new = torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 0, 0])
        >>> match_states(old, new, 2, 2)
        (tensor([1, 0]), 0.0)
    """
    overlap = torch.bincount(new * n_old + old, minlength=n_new * n_old).view(n_new, n_old)
    rows, columns = linear_sum_assignment(overlap.numpy(), maximize=True)
    new_id = np.full(n_new, -1)
    kept = columns < n_new  # after K has shrunk, ids beyond it no longer exist
    new_id[rows[kept]] = columns[kept]
    free = np.setdiff1d(np.arange(n_new), new_id)
    new_id[new_id < 0] = free
    renamed = torch.from_numpy(new_id)
    drift = (renamed[new] != old).double().mean().item() if len(old) else 0.0
    return renamed, drift
