"""Failure flags as they would be by chance, where samples of one group fail together."""

import torch
from torch import Tensor

# Shuffles made at a time: each takes some 60 bytes a sample.
AT_A_TIME = 50


def shuffled_groups(
    failed: Tensor, rate: Tensor, group: Tensor, shuffles: int, generator: torch.Generator
) -> Tensor:
    """Return (S, shuffles) float32 flags: every group is given the failures of another one.

    Flags of windows of one recording cannot be shuffled one by one: they would lie scattered over
    all recordings, and a column that says which recordings are of one device would look surprising
    whatever it says. Each flag is seen as a number between 0 and 1 that lies below the rate of
    failures of its kind of sample where it failed (a randomised probability integral transform).
    Groups exchange these numbers: a sample fails by chance as often as samples of its kind do, and
    together with others as samples of one group do. Failures of a group share one such number.

    The samples of a group are given those of another one in the order of their rates, and samples
    of like rates in the order of their index, from a random one on and round: neighbours stay
    neighbours. Of groups of unlike sizes, a few of the larger one are given, or those of the
    smaller one several times.

    Source: ours; Smith, "Diagnostic checks of non-standard time series models", 1985, for the
    transform.

    Args:
        failed: (S,) bool.
        rate: (S,) share of failures among samples of each one's kind.
        group: (S,) int64.
        shuffles: how often.
        generator: of the shuffles.
    """
    if shuffles == 0:
        return torch.zeros(len(failed), 0)
    number = group.unique(return_inverse=True)[1]
    size = number.bincount()
    first = size.cumsum(0) - size
    kind = rate.unique(return_inverse=True)[1]
    place = _place_among(number, torch.zeros_like(number), torch.arange(len(number)))
    rank = _place_among(number, kind, place)
    own, chance = failed[:, None], rate[:, None]
    made = []
    for some in torch.arange(shuffles).split(AT_A_TIME):
        shape = len(size), len(some)
        together = torch.rand(shape, generator=generator)[number]
        apart = torch.rand(len(number), len(some), generator=generator)
        drawn = torch.where(own, chance * together, chance + (1 - chance) * apart)
        begin = (torch.rand(shape, generator=generator) * size[:, None]).long()[number]
        turned = (place[:, None] + begin) % size[number][:, None]
        giving = _key(number[:, None], kind[:, None], turned).argsort(0)
        giver = torch.rand(shape, generator=generator).argsort(0)[number]
        between = torch.rand(shape, generator=generator)[number]
        at = (rank[:, None] + between) / size[number][:, None] * size[giver]
        given = giving.gather(0, first[giver] + torch.minimum(at.long(), size[giver] - 1))
        made.append((drawn.gather(0, given) < chance).float())
    return torch.cat(made, 1)


def _key(number: Tensor, kind: Tensor, place: Tensor) -> Tensor:
    """Return int64 by which samples stand in the order of group, kind and place."""
    return (number * (int(kind.max()) + 1) + kind) * (int(place.max()) + 1) + place


def _place_among(number: Tensor, kind: Tensor, order: Tensor) -> Tensor:
    """Return (S,) int64 place of each sample in its group, by kind and then by (S,) order."""
    size = number.bincount()
    sorted_ = _key(number, kind, order).argsort()
    place = torch.empty_like(number)
    place[sorted_] = torch.arange(len(number)) - (size.cumsum(0) - size)[number[sorted_]]
    return place


def held_by_groups(inside: Tensor, number: Tensor) -> Tensor:
    """Return (n, G) float32: how many samples of each of G groups lie inside n candidates.

    Args:
        inside: (n, S) bool, or float of 0 and 1.
        number: (S,) int64 group, from 0 on.
    """
    held = torch.zeros(len(inside), int(number.max()) + 1)
    return held.index_add_(1, number, inside.float())


def failing_together(failed: Tensor, rate: Tensor, number: Tensor) -> float:
    """Return the correlation of the failures of one group, in [0, 1]; 0 where all stand alone.

    By the method of moments: what pairs of one group have in common of what they could have.

    Args:
        failed: (S,) bool.
        rate: (S,) share of failures among samples of each one's kind.
        number: (S,) int64 group, from 0 on.
    """
    beyond = failed.double() - rate.double()
    spread = (rate * (1 - rate)).double().sqrt()

    def pairs(values: Tensor) -> float:
        sums = torch.zeros(int(number.max()) + 1, dtype=values.dtype).index_add_(0, number, values)
        return float(sums.square().sum() - values.square().sum())

    possible = pairs(spread) if len(number) else 0.0
    return min(max(pairs(beyond) / possible, 0.0), 1.0) if possible > 0 else 0.0
