"""Temporal features: what the paper compares and classifies steps by."""

import torch
from torch import Tensor


def split_code(n_states: int, n_classes: int) -> tuple[Tensor, Tensor]:
    """Return (A,) state and (A,) step prediction of each of the A = K * C codes."""
    code = torch.arange(n_states * n_classes)
    return code // n_classes, code % n_classes


def temporal_features(confidence: Tensor, id_divisor: int) -> Tensor:
    """Return (A, 2 + C) float64 features ``[ID', RL', C_q]`` of every code.

    ``ID' = (ID + 1) / (D + 1)`` with ID = 1 .. K and ``RL' = (RL + 1) / (C + 1)``. A step's
    features are a function of its code, so this table is all there is.

    Source: RNNRepair's code; docs/method.md 4.1 and 4.2.

    Args:
        confidence: (K, C) confidence vectors.
        id_divisor: D, the largest ID that there may be (K for SimNN, K + 1 for distances).

    Example:
        >>> temporal_features(torch.tensor([[0.75, 0.25]]), id_divisor=1)[1].tolist()
        [1.0, 0.6666666666666666, 0.75, 0.25]
    """
    n_states, n_classes = confidence.shape
    state, label = split_code(n_states, n_classes)
    return torch.cat(
        [
            ((state + 2).double() / (id_divisor + 1))[:, None],
            ((label + 1).double() / (n_classes + 1))[:, None],
            confidence[state].double(),
        ],
        dim=1,
    )
