"""Parts of the samples: each is judged by a model that was fitted on the others."""

import torch
from torch import Tensor

from rnnrepair.seeding import torch_generator

PARTS = 5
# Mean size of groups from which on rows stand in groups.
GROUPED = 2.0


def random_parts(group: Tensor, name: str, seed: int = 0) -> list[Tensor]:
    """Return five parts of n rows, of like size and in random order; a group is in one part.

    Whoever labels a recording wrong labels all its windows wrong: fitted on some of them, a model
    would call the others right.

    Args:
        group: (n,) int64, equal where rows belong together.
        name: of what they are drawn for, see ``torch_generator``.
        seed: of the draw.
    """
    n = len(group)
    order = torch.randperm(n, generator=torch_generator(seed, name))
    place = torch.empty_like(order)
    place[order] = torch.arange(n)
    number = group.unique(return_inverse=True)[1]
    # Groups take their turns in the order in which they come.
    first = torch.full((int(number.max()) + 1 if n else 0,), n)
    first = first.scatter_reduce(0, number, place, "amin")
    turn = torch.empty_like(first)
    turn[first.argsort()] = torch.arange(len(first))
    part = (turn[number] % PARTS)[order]
    return [order[part == number] for number in range(PARTS)]


def parts_of_others(parts: list[Tensor], group: Tensor, n: int) -> list[Tensor]:
    """Return which rows from ``n`` on are judged by the model that was fitted without each part.

    That of their group, where it has rows before; others take turns.

    Args:
        parts: of the first n rows, see ``random_parts``.
        group: (n + m,) int64, equal where rows belong together.
        n: rows that models are fitted on.
    """
    number = group.unique(return_inverse=True)[1]
    of_group = torch.full((int(number.max()) + 1 if len(number) else 0,), -1)
    for p, rows in enumerate(parts):
        of_group[number[rows]] = p
    turn = torch.arange(len(group) - n) % PARTS
    place = torch.where(of_group[number[n:]] >= 0, of_group[number[n:]], turn)
    return [n + (place == p).nonzero()[:, 0] for p in range(PARTS)]


def are_grouped(group: Tensor) -> bool:
    """Return whether rows stand mostly in groups, so that counts are those of groups."""
    return grouped_size(group) >= GROUPED


def grouped_size(group: Tensor) -> float:
    """Return the mean size of the groups of n rows; 1 where each stands alone.

    Where those of a group tell the same, so many rows tell as much as one. A few large groups among
    many rows that stand alone, as copies are, hardly change what all tell.

    Args:
        group: (n,) int64.
    """
    return len(group) / len(group.unique()) if len(group) else 1.0
