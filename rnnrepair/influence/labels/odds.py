"""How likely labels are wrong, from several kinds of evidence that nobody has calibrated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import brentq, isotonic_regression
from scipy.special import expit
from scipy.stats import rankdata
from torch import Tensor

# Ranges of a kind of evidence, at most, and samples of each of them, at least.
BINS = 30
PER_BIN = 40
# The same of the most suspicious one.
LEAST = 4
# Share of wrong labels, and how sharply it is cut off, of the first guess.
GUESS, SHARPNESS = 0.15, 0.03
# A label is more often right than wrong, in every class.
MOST = 0.5
ROUNDS = 200
SETTLED = 1e-4
# Log odds that leave nothing of any probability.
CERTAIN = 500.0


def wrong_label_odds(
    evidence: Tensor, label: Tensor, rate: float = 1.0, counts: Sequence[float] | None = None
) -> Tensor:
    """Return (N,) float32 log odds that each label is wrong.

    A network that has seen thirty of a hundred sevens called ones doubts every seven: what counts
    is how far a sample stands out of its own class, so the median of the class is taken off each
    kind of evidence. Expectation maximisation then finds, without knowing any wrong label, how
    much each value of each kind speaks for one (a curve through the means of 30 ranges), and how
    many there are in each class. A kind that does not tell the samples apart weighs little by
    itself. More evidence never counts for less. Agreement of kinds is all that this rests on: one
    kind alone is taken as it is.

    Hard samples make kinds agree too, so alone it would find wrong labels where there are none.
    Therefore no more wrong labels are expected than somebody knows there to be: where the
    probabilities sum to more, all odds are divided by the number that mends it.

    Source: ours; the model is that of Dawid & Skene, "Maximum Likelihood Estimation of Observer
    Error-Rates Using the EM Algorithm", 1979, with kinds of evidence as observers; the limit is
    posterior regularisation (Ganchev et al., JMLR 2010).

    Args:
        evidence: (V, N), above 0 where it puts another label first, the larger the more
            suspicious; NaN where nothing is known.
        label: (N,) int64.
        rate: share of all labels that is wrong at most, see ``wrong_label_rate``.
        counts: (V,) how much each kind adds to the log odds; less than 1 for one that is unsure of
            the same samples as another. 1 for all where None.
    """
    classes = label.numpy()
    every = evidence.double().numpy()
    speaks = ~np.isnan(every).all(1)
    told = every[speaks]
    weights = np.ones(len(told)) if counts is None else np.array(counts, dtype=float)[speaks]
    if len(told) < 2:
        # Nothing to agree with: it stands for itself.
        return torch.from_numpy(np.nan_to_num(sum(told, np.zeros(len(classes))))).float()
    kinds = [_out_of_class(kind, classes) for kind in told]
    scales = [_Scale.of(kind) for kind in kinds]
    wrong = _first_guess(kinds)
    odds = np.zeros(len(classes))
    for _ in range(ROUNDS):
        count = np.bincount(classes)
        share = np.bincount(classes, wrong) / np.maximum(count, 1)
        share = share.clip(1 / (2 * len(classes)), MOST)
        odds = np.log(share / (1 - share))[classes]
        for scale, weight in zip(scales, weights, strict=True):
            odds = odds + weight * scale.speaks_for_wrong(wrong)
        odds = _limited(odds, rate * len(classes))
        before, wrong = wrong, expit(odds)
        if np.abs(wrong - before).max() < SETTLED:
            break
    return torch.from_numpy(odds).float()


def _limited(odds: np.ndarray, most: float) -> np.ndarray:
    """Return (N,) log odds whose probabilities sum to ``most`` at most."""

    def beyond(less: float) -> float:
        return float(expit(odds - less).sum()) - most

    if beyond(0) <= 0:
        return odds
    less = CERTAIN if beyond(CERTAIN) >= 0 else brentq(beyond, 0, CERTAIN, xtol=1e-9)
    return odds - less


def _out_of_class(kind: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return (N,) evidence beyond the median of each sample's class."""
    beyond = kind.copy()
    for c in np.unique(classes):
        own = classes == c
        if not np.isnan(kind[own]).all():
            beyond[own] -= np.nanmedian(kind[own])
    return beyond


@dataclass(frozen=True)
class _Scale:
    """The values of one kind of evidence, which is read between a few of them.

    Attributes:
        rank: (N,) in (0, 1), of equal values the mean; NaN where nothing is known.
        place: (N,) int64 among m ranges of ranks; 0 where nothing is known.
        centre: (m,) ascending means of the ranks in each range.
    """

    rank: np.ndarray
    place: np.ndarray
    centre: np.ndarray

    @classmethod
    def of(cls, kind: np.ndarray) -> "_Scale":
        """Divide the ranks of (N,) values."""
        known = ~np.isnan(kind)
        n_known = int(known.sum())
        rank = np.full(len(kind), np.nan)
        rank[known] = (rankdata(kind[known]) - 0.5) / n_known
        n_ranges = max(1, min(BINS, n_known // PER_BIN))
        # The suspicious end is where a few samples decide.
        tail = 1 - 0.5 ** np.arange(1, max(1, int(np.log2(n_known / LEAST))) + 1)
        edges = np.union1d(np.linspace(0, 1, n_ranges + 1)[1:-1], tail)
        # Equal values may leave a range empty.
        _, place = np.unique(np.searchsorted(edges, rank[known], side="right"), return_inverse=True)
        places = np.zeros(len(kind), dtype=np.int64)
        places[known] = place
        return cls(rank, places, np.bincount(place, rank[known]) / np.bincount(place))

    def speaks_for_wrong(self, wrong: np.ndarray) -> np.ndarray:
        """Return (N,) log ratio of how often a value occurs among wrong and among right labels.

        Args:
            wrong: (N,) probabilities.
        """
        known = ~np.isnan(self.rank)
        place = self.place[known]
        # Half a sample more of each, so that nothing is impossible.
        among = [np.bincount(place, p[known]) + 0.5 for p in (wrong, 1 - wrong)]
        ratio = np.log(among[0] / among[0].sum()) - np.log(among[1] / among[1].sum())
        rising = isotonic_regression(ratio, weights=among[0] + among[1]).x
        said = np.zeros(len(self.rank))
        said[known] = np.interp(self.rank[known], self.centre, rising)
        return said


def _first_guess(kinds: list[np.ndarray]) -> np.ndarray:
    """Return (N,) probabilities: the samples that stand out most by the mean of all ranks."""
    ranks = []
    for kind in kinds:
        known = ~np.isnan(kind)
        rank = np.full(len(kind), 0.5)
        rank[known] = rankdata(kind[known]) / max(int(known.sum()), 1)
        ranks.append(rank)
    place = rankdata(np.mean(ranks, 0)) / len(kinds[0])
    return 1 / (1 + np.exp(-(place - (1 - GUESS)) / SHARPNESS))
