"""Disjoint, seeded, stratified splits of the training samples."""

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.seeding import torch_generator


def split_training(
    label: Tensor, repair_share: float, val_share: float | None, seed: int
) -> dict[str, Tensor]:
    """Split training samples 0 .. n - 1 into ``fit``, ``repair`` and ``val``, ascending indices.

    Stratified: each class gives its share to each split. The test set is not touched, and what
    the shares are depends on the seed alone.

    Args:
        label: (n,) classes.
        repair_share: share that supplies the failures to repair.
        val_share: share that chooses; None carves no ``val``.
        seed: of the split.

    Raises:
        ConfigurationError: the shares leave nothing for ``fit``, or a split is empty.
    """
    carved = 0.0 if val_share is None else val_share
    if min(repair_share, carved) < 0 or repair_share + carved >= 1:
        raise ConfigurationError(
            "datamodule.repair_share and datamodule.val_share must be at least 0 and together "
            f"less than 1, got {repair_share} and {carved}."
        )
    generator = torch_generator(seed, "split")
    shuffled = torch.randperm(len(label), generator=generator)
    by_class = shuffled[label[shuffled].argsort(stable=True)]
    repair, rest = _systematic(by_class, repair_share)
    val, fit = _systematic(rest, carved / (1 - repair_share))
    split = {"fit": fit.sort().values, "repair": repair.sort().values}
    if val_share is not None:
        split["val"] = val.sort().values
    empty = [name for name, rows in split.items() if len(rows) == 0]
    if empty:
        raise ConfigurationError(
            f"The splits {empty} of {len(label)} training samples are empty: change "
            "datamodule.repair_share and datamodule.val_share, or give more data."
        )
    return split


def _systematic(rows: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Take every (1 / share)-th row: exact in total, and in every class to within one row."""
    # The small number keeps shares like 1/6 from falling just short of a whole row.
    passed = (torch.arange(len(rows) + 1, dtype=torch.float64) * share + 1e-6).floor()
    taken = passed.diff() > 0
    return rows[taken], rows[~taken]
