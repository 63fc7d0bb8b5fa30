"""Intervals of differences between arms, from draws of seeds and of test items."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from rnnrepair.paired import MIN_VALUES, interval
from rnnrepair.record import Contrast
from rnnrepair.runs.comparison.metrics import (
    Counts,
    classes_of,
    item_metrics,
    metric_table,
    sides_of,
)
from rnnrepair.runs.comparison.runs import Answers, Runs

DRAWS = 4000
LEVEL = 0.95
# Numbers drawn at once: bounds memory to some ten MB, whatever the number of items.
CELLS = 1_000_000

BOTH = "seeds x {}"
OWN_ITEMS = "seeds x own {}"
SEEDS_ONLY = "seeds only"
ITEMS_ONLY = "{} only"
# With fewer groups no interval is given: draws of them would hardly differ.
MIN_GROUPS = 5
# What is drawn: groups where a test split has copies, or windows of one recording.
ITEMS, GROUPS = "items", "groups"


@dataclass(frozen=True)
class Interval:
    """An interval and what it was drawn from ("" where there is no interval)."""

    low: float
    high: float
    drawn: str


NO_INTERVAL = Interval(float("nan"), float("nan"), "")


class Bootstrap:
    """Two-way bootstrap of differences between arms, paired by seed.

    A draw takes seeds with replacement and test items with replacement, the same for both arms;
    items of one group (copies, windows of one recording) are drawn together. So the interval holds
    both the chance of training and that of the test set, which all seeds share. Where noise belongs
    to single pairs of seed and item, such intervals are too wide rather than too narrow (Owen 2007,
    the pigeonhole bootstrap). Where nearly all of it belongs to the seeds, and where only seeds are
    drawn, ten of them are few: such intervals cover about 90 %.

    Every metric of items depends on how many items changed sides, so a draw is a vector of weights
    and many draws are one matrix product.
    """

    def __init__(self, runs: Runs, draws: int = DRAWS) -> None:
        """Draw nothing yet; the items of a test split are drawn when first asked for.

        Args:
            runs: to compare.
            draws: of seeds and items.
        """
        self._runs = runs
        self._draws = draws
        self._values = metric_table(runs)
        self._of_items = item_metrics(runs)
        self._drawn: dict[str, dict[tuple[str, int], Counts]] = {}

    def interval(self, contrast: Contrast, seeds: list[int]) -> Interval:
        """Return the interval of a mean difference over seeds that both arms have."""
        if not seeds:
            return NO_INTERVAL
        arms = (contrast.of, contrast.against)
        if contrast.metric not in self._of_items:
            if len(seeds) < MIN_VALUES:
                return NO_INTERVAL
            of, against = (
                self._values.loc[[(arm, seed) for seed in seeds], contrast.metric].to_numpy(float)
                for arm in arms
            )
            return Interval(*interval(of - against), SEEDS_ONLY)
        split, _ = self._of_items[contrast.metric]
        groups = (self._runs.answers_of_seed(seed, split).group for seed in seeds)
        if any(of is not None and len(np.unique(of)) < MIN_GROUPS for of in groups):
            return NO_INTERVAL
        of, against = (self._item_draws(arm, seeds, contrast.metric) for arm in arms)
        means = _weighted_mean(of - against, self._seed_weights(len(seeds)))
        tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        low, high = np.nanquantile(means, tails)
        return Interval(float(low), float(high), self._what_is_drawn(contrast, len(seeds)))

    def _what_is_drawn(self, contrast: Contrast, n_seeds: int) -> str:
        split, _ = self._of_items[contrast.metric]
        grouped = any(run.splits[split].group is not None for run in self._runs)
        shared = BOTH if self._runs.items_shared(split) else OWN_ITEMS
        return (ITEMS_ONLY if n_seeds == 1 else shared).format(GROUPS if grouped else ITEMS)

    def _seed_weights(self, n_seeds: int) -> np.ndarray:
        """Return (draws, n_seeds): how often a draw holds each seed; the same for all contrasts."""
        if n_seeds == 1:
            return np.ones((self._draws, 1))
        seed_rng = np.random.default_rng(0).spawn(1)[0]
        return np.concatenate(list(_weights(n_seeds, self._draws, seed_rng)))

    def _item_draws(self, arm: str, seeds: list[int], metric: str) -> np.ndarray:
        """Return (draws, seeds): a metric of each run with the drawn items."""
        split, function = self._of_items[metric]
        if split not in self._drawn:
            self._drawn[split] = self._draw_items(split)
        runs = [self._drawn[split][arm, seed] for seed in seeds]
        return np.stack([function(counts) for counts in runs], axis=1)

    def _draw_items(self, split: str) -> dict[tuple[str, int], Counts]:
        """Return the counts (draws,) of every run; seeds that share their items share the draws."""
        runs = self._runs
        seeds = list(runs.seeds)
        groups = [seeds] if runs.items_shared(split) else [[seed] for seed in seeds]
        _, *item_rngs = np.random.default_rng(0).spawn(1 + len(groups))
        counts: dict[tuple[str, int], Counts] = {}
        for group, rng in zip(groups, item_rngs, strict=True):
            answers = {run: r.splits[split] for run, r in runs.by_key.items() if run[1] in group}
            n_classes = 1 + max(int(a.label.max()) for a in answers.values())
            of_class = classes_of(next(iter(answers.values())), n_classes)
            sides = np.concatenate([sides_of(a)[:, None] & of_class.T for a in answers.values()])
            drawn = self._drawn_sums(
                np.concatenate([of_class.T, sides.reshape(-1, len(of_class))]),
                _group_of(answers.values()),
                rng,
            )
            items, sums = np.split(drawn, [n_classes], axis=1)
            sums = sums.reshape(self._draws, len(answers), 3, n_classes)
            for place, run in enumerate(answers):
                counts[run] = Counts(items, *(sums[:, place, side] for side in range(3)))
        return counts

    def _drawn_sums(
        self, sets: np.ndarray, group: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return (draws, S): how many of the drawn items stand in each of (S, N) sets of items.

        Args:
            sets: (S, N) bool.
            group: (N,) int64 from 0 on, items that are drawn together.
            rng: of the draws.
        """
        n = len(group)
        within = csr_array((np.ones(n), (group, np.arange(n))))
        # Nearly all sets are small: few items change sides.
        columns = within @ csr_array(sets.T.astype(float))
        return np.concatenate(
            [part @ columns for part in _weights(within.shape[0], self._draws, rng)]
        )


def _group_of(answers: Collection[Answers]) -> np.ndarray:
    """Return the (N,) int64 groups of the items of some runs, in the order of their first items.

    Runs of older versions do not know them.
    """
    known = next((a.group for a in answers if a.group is not None), None)
    n = len(next(iter(answers)).index)
    return np.arange(n) if known is None else pd.factorize(known)[0]


def _weights(n: int, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield (part of the draws, n) float64: how often each of n is drawn, n at a time."""
    rows = max(1, CELLS // n)
    for start in range(0, draws, rows):
        count = min(rows, draws - start)
        places = rng.integers(n, size=(count, n)) + n * np.arange(count)[:, None]
        yield np.bincount(places.ravel(), minlength=count * n).reshape(count, n).astype(float)


def _weighted_mean(differences: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return (draws,) means over seeds of (draws, seeds) differences.

    A share of nothing (NaN: no drawn item was wrong before) is left out of its draw.
    """
    defined = np.isfinite(differences) * weights
    total = (np.where(np.isfinite(differences), differences, 0.0) * weights).sum(1)
    below = defined.sum(1)
    return np.divide(total, below, out=np.full(len(below), np.nan), where=below > 0)
