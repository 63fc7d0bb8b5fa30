"""How often a user's sampler draws each item."""

from collections.abc import Sized
from typing import Any

import torch
from torch import Tensor

from rnnrepair.errors import DataError


def chances_of(sampler: Any, n_train: int) -> Tensor | None:
    """Return the (n,) float64 weights of a sampler of training items; None without one.

    Args:
        sampler: a ``WeightedRandomSampler``, anything else with ``weights``, or the weights.
        n_train: n.

    Raises:
        DataError: a sampler without weights, or other weights than n that are not negative.
    """
    if sampler is None:
        return None
    weights = getattr(sampler, "weights", sampler)
    if not isinstance(weights, Sized) or getattr(sampler, "replacement", True) is False:
        raise DataError(
            f"sampler is {type(sampler).__name__}, of which nobody can know how it would draw "
            "injected samples: give a WeightedRandomSampler(weights, n) with replacement, or the "
            "weights of the training items."
        )
    chance = torch.as_tensor(weights, dtype=torch.float64)
    if chance.shape != (n_train,) or not bool((chance >= 0).all()) or float(chance.sum()) <= 0:
        raise DataError(
            f"sampler has weights of shape {tuple(chance.shape)}: expected one of at least 0 for "
            f"each of the {n_train} training items, and not only 0."
        )
    return chance


def class_chance(chance: Tensor, label: Tensor, n_classes: int) -> Tensor:
    """Return the (C,) mean weights of the items of each class; of all, where a class has none.

    Args:
        chance: (n,) weights.
        label: (n,) of those items.
        n_classes: C.
    """
    total = torch.zeros(n_classes, dtype=chance.dtype).index_add_(0, label, chance)
    count = label.bincount(minlength=n_classes)
    return torch.where(count > 0, total / count.clamp_min(1), chance.mean())
