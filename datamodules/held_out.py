"""A test set for data that come without one."""

import torch
from torch import Tensor

from rnnrepair.datamodules.splits import kept_together
from rnnrepair.seeding import torch_generator
from rnnrepair.settings import ProperShare, check_settings


def hold_out(
    labels: list[str], test_share: ProperShare, groups: Tensor | None = None
) -> tuple[Tensor, int]:
    """Return the order that puts the training rows first, and their number.

    The same rows are test for every seed of a run: which they are is a matter of the data set.
    Each class gives its share.

    Args:
        labels: n names of classes.
        test_share: of the rows.
        groups: (n,) int64, rows with the same number are kept together; None for none.

    Raises:
        SettingsError: the share is out of range.
    """
    check_settings(hold_out, locals())
    generator = torch_generator(0, "held-out test rows")
    is_test = torch.zeros(len(labels), dtype=torch.bool)
    for name in sorted(set(labels)):
        rows = torch.tensor([i for i, label in enumerate(labels) if label == name])
        drawn = rows[torch.randperm(len(rows), generator=generator)]
        is_test[drawn[: round(test_share * len(rows))]] = True
    if groups is not None:
        wanted = torch.tensor([1 - test_share, test_share]).double() * len(labels)
        order = torch.randperm(len(labels), generator=generator)
        is_test = kept_together(is_test.long(), groups, wanted, order) == 1
    order = is_test.int().argsort(stable=True)
    return order, int((~is_test).sum())
