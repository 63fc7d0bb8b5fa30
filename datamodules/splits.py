"""Disjoint, seeded, stratified splits of the training samples; what belongs together stays so."""

import logging
from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor

from rnnrepair.datamodules.groups import Groups
from rnnrepair.errors import ConfigurationError, DataError
from rnnrepair.protocols import Split
from rnnrepair.seeding import torch_generator
from rnnrepair.settings import at_least, below, check_settings

log = logging.getLogger(__name__)

# Of the training samples; something must be left to train on.
PartShare = Annotated[float, at_least(0), below(1)]


def split_all(
    label: Tensor,
    n_train: int,
    n_val: int,
    groups: Groups,
    repair_share: PartShare,
    val_share: PartShare,
    seed: int,
) -> dict[str, Tensor]:
    """Return the ascending indices of ``fit``, ``repair``, ``val`` and ``test``.

    Official test sets stay whole. No group stands in two splits; sequences that stand in an
    official set too are left out of what comes before it, but not where nothing is trained
    (``repair_share`` 0): they may be why a network fails.

    Args:
        label: (n,) of training, then val, then test samples.
        n_train: training samples.
        n_val: samples of an official val set; 0 carves ``val`` from the training samples.
        groups: of all samples, further test sets behind these included.
        repair_share: see ``split_training``.
        val_share: not used where there is an official val set.
        seed: of the split.

    Raises:
        ConfigurationError: the shares leave a split empty.
        DataError: a named group stands in two official sets, or these hold all of a split.
    """
    together = groups.joined(n_train)
    carved = None if n_val else val_share
    split = split_training(label[:n_train], repair_share, carved, seed, together)
    if n_val:
        split["val"] = torch.arange(n_train, n_train + n_val)
    if repair_share == 0:  # a network that is trained already has seen what stands in both
        return split | {"test": torch.arange(n_train + n_val, len(label))}
    kept = without_held_out(groups, n_train, n_val)
    drawn = [name for name, rows in split.items() if len(rows)]
    split = {name: rows[kept[rows]] for name, rows in split.items()}
    empty = [name for name in drawn if len(split[name]) == 0]
    if empty:
        raise DataError(
            f"Official val and test sets hold every sequence of {empty}: give other data."
        )
    return split | {"test": torch.arange(n_train + n_val, len(label))}


def tell_left_out(splits: Mapping[Split, Tensor], n: int) -> None:
    """Say how many of the n training and val sequences stand in no split."""
    left = n - len(torch.cat([rows[rows < n] for rows in splits.values()]).unique())
    if left:
        log.warning(
            "%d training and val sequences are left out: a val or test set holds the same.",
            left,
        )


def tell_shared(groups: Groups, label: Tensor, n_train: int, n_val: int) -> None:
    """Say how many training and val sequences official sets hold too, where they stay.

    Args:
        groups: of all samples.
        label: of all samples.
        n_train: training samples.
        n_val: samples of an official val set.
    """

    def held(number: Tensor) -> int:
        return int((~not_held_out(number, n_train, n_val)).sum())

    shared = held(groups.copies)
    of_groups = 0 if groups.named is None else held(groups.named)
    # A network that is only explained has been trained on all of them.
    if shared:
        log.warning(
            "A val or test set holds the same as %d training and val sequences. They stay "
            "(repair_share=0): the network knows them by the labels that training has%s.",
            shared,
            _labels_of_copies(groups.copies, label, n_train),
        )
    if of_groups:
        log.warning(
            "%d training and val sequences belong to groups that a val or test set has too. They "
            "stay (repair_share=0): the network knows these groups, and accuracy on that set says "
            "nothing of groups that it does not know.",
            of_groups,
        )


def _labels_of_copies(copies: Tensor, label: Tensor, n_train: int) -> str:
    """Say whether held-out copies of training sequences have the labels that training has.

    Args:
        copies: (n,) int64, equal where two samples are alike; training first.
        label: (n,) of them.
        n_train: training samples.
    """
    is_copy = torch.isin(copies[n_train:], copies[:n_train])
    labelled = copies * (int(label.max()) + 1) + label
    agrees = torch.isin(labelled[n_train:], labelled[:n_train])
    n_other = int((is_copy & ~agrees).sum())
    if n_other == 0:
        return ", and its accuracy on that set is too good"
    return (
        f". {n_other} of the {int(is_copy.sum())} copies in that set have a label that no copy in "
        "training has: of one input with two labels, one is wrong, or the task does not tell them "
        "apart"
    )


def split_training(
    label: Tensor,
    repair_share: PartShare,
    val_share: PartShare | None,
    seed: int,
    groups: Tensor | None = None,
) -> dict[str, Tensor]:
    """Split training samples 0 .. n - 1 into ``fit``, ``repair`` and ``val``, ascending indices.

    Stratified: each class gives its share to each split. The test set is not touched, and what
    the shares are depends on the seed alone. No group stands in two splits.

    Args:
        label: (n,) classes.
        repair_share: share that supplies the failures to repair; 0 for a network that is trained
            already, which is only explained.
        val_share: share that chooses, or 0; None carves no ``val``.
        seed: of the split.
        groups: (n,) samples with the same number stay together; None where each is by itself.

    Raises:
        ConfigurationError: the shares leave nothing for ``fit``, or a split of a share above 0 is
            empty.
    """
    check_settings(split_training, locals(), _leave_some)
    carved = val_share or 0.0
    generator = torch_generator(seed, "split")
    shuffled = torch.randperm(len(label), generator=generator)
    by_class = shuffled[label[shuffled].argsort(stable=True)]
    repair, rest = _systematic(by_class, repair_share)
    val, fit = _systematic(rest, carved / (1 - repair_share))
    part = torch.empty_like(label)
    for number, rows in enumerate((fit, repair, val)):
        part[rows] = number
    if groups is not None:
        wanted = torch.tensor([1 - repair_share - carved, repair_share, carved])
        part = kept_together(part, groups, wanted.double() * len(label), by_class)
    split = {"fit": (part == 0).nonzero()[:, 0], "repair": (part == 1).nonzero()[:, 0]}
    if val_share is not None:
        split["val"] = (part == 2).nonzero()[:, 0]
    share = {"fit": 1.0, "repair": repair_share, "val": carved}
    empty = [name for name, rows in split.items() if len(rows) == 0 and share[name]]
    if empty:
        n_groups = len(label) if groups is None else len(groups.unique())
        told = "" if n_groups == len(label) else f" in {n_groups} groups (copies join groups)"
        raise ConfigurationError(
            f"The splits {empty} of {len(label)} training samples{told} are empty: change "
            "repair_share and val_share, or give more data."
        )
    return split


def kept_together(part: Tensor, groups: Tensor, wanted: Tensor, order: Tensor) -> Tensor:
    """Return the (n,) parts of samples, changed so that no group stands in two.

    A group goes where its first sample was drawn. Groups of several samples then move to other
    parts as long as that brings the sizes nearer to what is wanted, and fills what is empty.

    Args:
        part: (n,) number of the part that each sample was drawn for.
        groups: (n,) number of the group of each.
        wanted: (P,) samples that each part should have.
        order: (n,) the samples in random order, which decides between equal moves.
    """
    number = groups.unique(return_inverse=True)[1]
    n_groups = int(number.max()) + 1 if len(number) else 0
    if n_groups == len(number):
        return part
    own = torch.arange(len(number))
    first = torch.full((n_groups,), len(number)).scatter_reduce(0, number, own, "amin")
    place, size = part[first], number.bincount(minlength=n_groups)
    rank = torch.empty_like(own)
    rank[order] = own
    several = (size > 1).nonzero()[:, 0]
    several = several[rank[first[several]].argsort()]
    _balance(place, size, several, wanted)
    return place[number]


def _balance(place: Tensor, size: Tensor, movable: Tensor, wanted: Tensor) -> None:
    """Move whole groups, changing ``place``, until no move brings the sizes nearer to wanted."""
    n, n_parts = float(size.sum()), len(wanted)

    def distance(sizes: Tensor) -> Tensor:
        empty = (sizes < 1) & (wanted >= 1)
        return (sizes - wanted).abs().sum(-1) + n * empty.sum(-1)

    sizes = torch.zeros(n_parts, dtype=torch.float64)
    sizes.index_add_(0, place, size.double())
    weight = size[movable].double()
    target = torch.eye(n_parts, dtype=torch.float64)
    while len(movable):
        at = target[place[movable]]
        moved = sizes + weight[:, None, None] * (target[None] - at[:, None])
        found = distance(moved)
        best = int(found.argmin())
        if float(found.flatten()[best]) >= float(distance(sizes)) - 1e-6:
            return
        group, part = divmod(best, n_parts)
        place[movable[group]] = part
        sizes = moved[group, part]


def without_held_out(groups: Groups, n_train: int, n_val: int) -> Tensor:
    """Return (n_train + n_val,) bool: training and val samples that no official set behind holds.

    Official sets are not changed, so copies of their sequences are left out of what stands before
    them: of training what val or test hold, of val what test holds.

    Args:
        groups: of training, then val, then all test samples.
        n_train: training samples.
        n_val: samples of an official val set.

    Raises:
        DataError: a named group stands in two official sets.
    """
    end = n_train + n_val
    if groups.named is not None:
        for first, last in ((0, n_train), (n_train, end)):
            both = groups.named[first:last].unique()
            both = both[torch.isin(both, groups.named[last:])]
            if len(both):
                raise DataError(
                    f"{len(both)} groups stand in training and in an official val or test set, "
                    f"the first in sample {int((groups.named == both[0]).nonzero()[0])}: give each "
                    "group to one of them, leave the official split out, or give no groups."
                )
    return not_held_out(groups.copies, n_train, n_val)


def not_held_out(copies: Tensor, n_train: int, n_val: int) -> Tensor:
    """Return (n_train + n_val,) bool: training and val samples of which none behind is a copy.

    Args:
        copies: (n,) int64, equal where two samples are alike: training, then val, then test.
        n_train: training samples.
        n_val: samples of an official val set.
    """
    end = n_train + n_val
    kept = torch.ones(end, dtype=torch.bool)
    kept[:n_train] = ~torch.isin(copies[:n_train], copies[n_train:])
    kept[n_train:] = ~torch.isin(copies[n_train:end], copies[end:])
    return kept


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
