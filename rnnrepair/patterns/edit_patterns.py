"""Failures that look like training samples under some edit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from rnnrepair.edits.sweep import Sweep
from rnnrepair.edits.sweeps import still, sweep_of, sweeps_of
from rnnrepair.errors import DataError
from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.dead_channels import all_dead, dead_channels, has_dead_channels, is_seen
from rnnrepair.patterns.difficulty import harder_half
from rnnrepair.patterns.excess import Excess
from rnnrepair.patterns.pattern import Alike, Candidate
from rnnrepair.patterns.pools import Near, near, size_of_bins
from rnnrepair.patterns.trait import EDIT
from rnnrepair.settings import Count, at_least, check_settings

# Parts of a sweep, and how many neighbouring ones make a region.
BINS = 12
WIDTHS = (2, 3, 4, 6)
# A sample is explained by an edit if it is among so many of the harder half that come nearest, as a
# share.
EXPLAINED = (0.005, 0.01, 0.02, 0.04, 0.08)
# Shares of a pattern that many samples have: those that come nearest are the easiest of it.
EXPLAINED_WIDE = (0.16, 0.32, 0.64)
# The same, as shares of all samples, where a pattern that has been found is seen more closely.
EXPLAINED_CLOSELY = tuple(0.005 * 2 ** (n / 2) for n in range(13))
# Share of the largest excess from which on a narrower set of samples is as surprising.
AS_GOOD = 0.95
# Neighbouring parts on either side that are looked at closely, and how many ends are tried there.
BESIDE = 2
EDGES = 24
# Nearer than that to the end of a region is at its end.
EDGE = 1e-6
# Training samples that are told of a pattern.
SAMPLES = 20


class EditPatterns:
    """Failures nearer to edited than to unedited training samples of their class.

    Source: ours.
    """

    name = EDIT

    def __init__(self, pool: Annotated[int, at_least(100)] = 3000, nearest: Count = 5) -> None:
        """Choose the effort.

        Args:
            pool: training samples that are edited, of each kind of edit.
            nearest: of them that a distance is the mean of.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(EditPatterns, locals())
        self.pool = pool
        self.nearest = nearest

    def candidates(self, context: PatternContext, difficulty: Tensor) -> list[Candidate]:
        """Return for every kind of edit and region of sizes the samples that come nearest.

        Only the harder half of the samples is looked at: hardly any other fails.
        """
        sweeps = sweeps_of(context.spec)
        if not sweeps:
            return []
        hard = harder_half(difficulty)
        half = context.select(hard)
        plain = self._near(half, still(context.spec))
        found = dead_channels(context, sweeps)
        for sweep in sweeps:
            for candidate in _of_sweep(sweep, self._near(half, sweep), plain):
                inside = torch.zeros(len(context), dtype=torch.bool)
                inside[hard[candidate.inside]] = True
                found.append(replace(candidate, inside=inside))
        return found

    def refined(self, context: PatternContext, candidate: Candidate, stratum: Tensor) -> Candidate:
        """Find the sizes of the edit again, and its members, among many more edits there."""
        if is_seen(candidate.parameters):
            return all_dead(context, candidate)
        sweep = _sweep(context, candidate.parameters)
        low, high = (float(candidate.parameters[end]) for end in ("from", "to"))
        # By difficulty alone: where its members end is seen better among all classes together.
        compared = Excess(context.failed, stratum, context.group)
        if sweep.parameter is not None:
            low, high = _wider(sweep, low, high)
            found = self._near(context, sweep, low, high, "wider").all_bins()
            plain = self._near(context, still(context.spec), purpose="wider").all_bins()
            inside = _best(_ratio(found, 0, 1, plain.mean(0, 1)), compared)
            place = found.place[:, 0].median(1).values
            low, high = _region(place, inside, (low, high), compared)
        found, ratio = self._in_region(context, sweep, low, high)
        inside = _best(ratio, compared)
        return replace(
            candidate,
            description=sweep.region(low, high),
            inside=inside,
            parameters={
                **_parameters(sweep, low, high),
                "ratio": float(ratio[inside].max()) if bool(inside.any()) else 0.0,
            },
            samples=_commonest(found.parent[inside & context.failed, 0]),
        )

    def again(self, context: PatternContext, parameters: Mapping[str, float | str]) -> Tensor:
        """Return (S,) bool: samples that come as near to edits of the region, or nearer."""
        sweep = _sweep(context, parameters)
        if is_seen(parameters):
            return has_dead_channels(context, sweep)
        low, high = float(parameters["from"]), float(parameters["to"])
        _, ratio = self._in_region(context, sweep, low, high)
        return ratio <= float(parameters["ratio"])

    def _in_region(
        self, context: PatternContext, sweep: Sweep, low: float, high: float
    ) -> tuple[Near, Tensor]:
        """Return the nearest edits of a region, and (S,) their distance over that to others."""
        found = self._near(context, sweep, low, high, "refined").all_bins()
        plain = self._near(context, still(context.spec), purpose="refined").all_bins()
        return found, _ratio(found, 0, 1, plain.mean(0, 1))

    def _near(
        self,
        context: PatternContext,
        sweep: Sweep,
        low: float = 0.0,
        high: float = 1.0,
        purpose: str = "search",
    ) -> Near:
        n_classes = len(context.original_label.unique())
        size = max(size_of_bins(self.pool, BINS, n_classes), self.nearest)
        return near(context, sweep, BINS, size, self.nearest, low, high, purpose)


def _of_sweep(sweep: Sweep, edited: Near, plain: Near) -> list[Candidate]:
    """Return the candidates of a kind of edit, all regions of it."""
    found = []
    for width in WIDTHS if sweep.parameter is not None else (BINS,):
        unedited = plain.mean(0, width)
        for first in range(BINS - width + 1):
            low, high = first / BINS, (first + width) / BINS
            # Data vary: much comes nearer to samples that are a little larger and smaller.
            if sweep.unchanged is not None and low + EDGE < sweep.unchanged < high - EDGE:
                continue
            ratio = _ratio(edited, first, first + width, unedited)
            shares = (*EXPLAINED, *EXPLAINED_WIDE)
            # Where few come nearer at all, larger shares hold the same.
            before = torch.zeros(len(ratio), dtype=torch.bool)
            for share, inside in zip(shares, _nearest(ratio, shares), strict=True):
                if torch.equal(inside, before):
                    continue
                before = inside
                parameters = _parameters(sweep, low, high)
                # An edit that brings its samples hardly nearer explains little of them.
                weight = 1 - float(ratio[inside].mean())
                wide, told = share in EXPLAINED_WIDE, sweep.region(low, high)
                one = Candidate(EDIT, told, inside, parameters, weight=weight, wide=wide)
                found.append(replace(one, alike=Alike.BOTH))
    return found


def _wider(sweep: Sweep, low: float, high: float) -> tuple[float, float]:
    """Return a region with what is beside it, as far as where nothing is changed."""
    wider = max(low - BESIDE / BINS, 0.0), min(high + BESIDE / BINS, 1.0)
    at = sweep.unchanged
    if at is None:
        return wider
    return (max(wider[0], at), wider[1]) if low + high > 2 * at else (wider[0], min(wider[1], at))


def _sweep(context: PatternContext, parameters: Mapping[str, float | str]) -> Sweep:
    """Return the kind of edit of a candidate."""
    sweep = sweep_of(str(parameters["edit"]), context.spec)
    if sweep is None:
        raise DataError(f"Edits {parameters['edit']}: these data have none of that name.")
    return sweep


def _parameters(sweep: Sweep, low: float, high: float) -> dict[str, float | str]:
    """Return what the edits of a region are drawn by again."""
    ends = sweep.at(torch.tensor([low, high])).tolist()
    values: dict[str, float | str] = {"edit": sweep.name, "from": low, "to": high}
    return values if sweep.parameter is None else values | {"low": ends[0], "high": ends[1]}


def _ratio(edited: Near, first: int, last: int, unedited: Tensor) -> Tensor:
    """Return (S,) distances to edits of some bins over those without; infinite out of reach."""
    ratio = (edited.mean(first, last) / unedited).nan_to_num(torch.inf)
    return ratio.where(edited.is_reached(first, last), torch.inf)


def _nearest(ratio: Tensor, shares: Sequence[float]) -> list[Tensor]:
    """Return (S,) bool each: shares of the samples, of smallest ratio, as long as it is below 1."""
    ascending = ratio.sort().values
    ends = [float(ascending[int(share * len(ratio))]) for share in shares]
    return [ratio < min(end, 1.0) for end in ends]


def _best(ratio: Tensor, compared: Excess) -> Tensor:
    """Return the fewest samples of smallest ratio among which failures exceed chance most.

    Samples that come less near and are hard otherwise fail too, and would go along with it.
    """
    choices = torch.stack(_nearest(ratio, EXPLAINED_CLOSELY))
    excess = compared.of(choices)
    return choices[int((excess >= AS_GOOD * excess.max()).int().argmax())]


def _region(
    place: Tensor, inside: Tensor, ends: tuple[float, float], compared: Excess
) -> tuple[float, float]:
    """Return the narrowest part of a sweep where failures exceed chance as much as anywhere.

    Widened a little, as far as was looked: the edits that come nearest lie inwards of the ends.

    Args:
        place: (S,) of the edits that come nearest.
        inside: (S,) bool, samples that come near at all.
        ends: of the part that was looked at.
        compared: the S samples.
    """
    edges = torch.linspace(*ends, EDGES + 1, dtype=torch.float64)
    parts = torch.combinations(torch.arange(EDGES + 1))
    low, high = edges[parts[:, 0]], edges[parts[:, 1]]
    within = inside & (place >= low[:, None]) & (place <= high[:, None])
    excess = compared.of(within)
    width = (high - low).masked_fill(excess < AS_GOOD * excess.max(), torch.inf)
    best = int(width.argmin())
    room = float(edges[1] - edges[0])
    return max(float(low[best]) - room, ends[0]), min(float(high[best]) + room, ends[1])


def _commonest(index: Tensor) -> Tensor:
    """Return the training samples that stand most often among nearest ones."""
    values, counts = index[index >= 0].unique(return_counts=True)
    return values[counts.argsort(descending=True, stable=True)][:SAMPLES]
