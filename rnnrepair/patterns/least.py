"""The least of many short rows, by numpy's vectorised sort: many times as fast as torch's topk."""

import numpy as np
import torch
from torch import Tensor


def least(distance: Tensor, k: int) -> Tensor:
    """Return the k least of every row, ascending.

    Args:
        distance: (..., M) float32 on the processor, without NaN.
        k: at most M.

    Returns:
        (..., k) float32.
    """
    return torch.from_numpy(np.sort(distance.numpy(), axis=-1)[..., :k].copy())


def least_with_columns(distance: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k least of every row, ascending, and where they stand; of equal ones the first.

    Args:
        distance: (..., M) float32 on the processor, from 0, infinite where nothing is. No NaN.
        k: at most M.

    Returns:
        (..., k) float32, and (..., k) int64 columns.
    """
    # The bits of floats that are not negative ascend as they do; behind them stands the column.
    n_bits = max(distance.shape[-1] - 1, 1).bit_length()
    bits = distance.contiguous().numpy().view(np.int32).astype(np.int64)
    packed = (bits << n_bits) + np.arange(distance.shape[-1])
    packed.sort(axis=-1)
    packed = packed[..., :k]
    values = (packed >> n_bits).astype(np.int32).view(np.float32)
    return torch.from_numpy(values), torch.from_numpy(packed & ((1 << n_bits) - 1))
