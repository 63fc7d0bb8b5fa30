"""Disjoint, seeded, stratified splits of the training samples."""

from typing import Annotated

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.seeding import torch_generator
from rnnrepair.settings import at_least, below, check_settings

# Of the training samples; something must be left to train on.
PartShare = Annotated[float, at_least(0), below(1)]


def split_training(
    label: Tensor, repair_share: PartShare, val_share: PartShare | None, seed: int
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
    check_settings(split_training, locals(), _leave_some)
    carved = val_share or 0.0
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
            "repair_share and val_share, or give more data."
        )
    return split


def _leave_some(repair_share: float, val_share: float | None) -> str | None:
    if repair_share + (val_share or 0.0) < 1:
        return None
    return f"{repair_share} and val_share={val_share} leave nothing to train on: lower them"


def _systematic(rows: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Take every (1 / share)-th row: exact in total, and in every class to within one row."""
    # The small number keeps shares like 1/6 from falling just short of a whole row.
    passed = (torch.arange(len(rows) + 1, dtype=torch.float64) * share + 1e-6).floor()
    taken = passed.diff() > 0
    return rows[taken], rows[~taken]
