"""How likely labels are wrong, from several kinds of evidence that nobody has calibrated."""

import numpy as np
import torch
from scipy.optimize import brentq, isotonic_regression
from scipy.special import expit
from scipy.stats import rankdata
from torch import Tensor

# Values of a kind of evidence that are told apart, at most, and samples of each of them, at least.
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


def wrong_label_odds(evidence: Tensor, label: Tensor, rate: float = 1.0) -> Tensor:
    """Return (N,) float32 log odds that each label is wrong.

    A network that has seen thirty of a hundred sevens called ones doubts every seven: what counts
    is how far a sample stands out of its own class, so the median of the class is taken off each
    kind of evidence. Expectation maximisation then finds, without knowing any wrong label, how
    much each value of each kind speaks for one, and how many there are in each class. A kind that
    does not tell the samples apart weighs little by itself. More evidence never counts for less.
    Agreement of kinds is all that this rests on: one kind alone is taken as it is.

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
    """
    classes = label.numpy()
    told = [kind for kind in evidence.double().numpy() if not np.isnan(kind).all()]
    if len(told) < 2:
        # Nothing to agree with: it stands for itself.
        return torch.from_numpy(np.nan_to_num(sum(told, np.zeros(len(classes))))).float()
    kinds = [_out_of_class(kind, classes) for kind in told]
    binned = [_binned(kind) for kind in kinds]
    wrong = _first_guess(kinds)
    odds = np.zeros(len(classes))
    for _ in range(ROUNDS):
        count = np.bincount(classes)
        share = np.bincount(classes, wrong) / np.maximum(count, 1)
        share = share.clip(1 / (2 * len(classes)), MOST)
        odds = np.log(share / (1 - share))[classes]
        for places in binned:
            odds = odds + _speaks_for_wrong(places, wrong)
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


def _binned(kind: np.ndarray) -> np.ndarray:
    """Return (N,) int64 places among the quantiles, -1 where nothing is known."""
    known = ~np.isnan(kind)
    if not known.any():
        return np.full(len(kind), -1)
    n_known = int(known.sum())
    n_bins = max(1, min(BINS, n_known // PER_BIN))
    # The suspicious end is where a few samples decide.
    tail = 1 - 0.5 ** np.arange(1, max(1, int(np.log2(n_known / LEAST))) + 1)
    inner = np.union1d(np.linspace(0, 1, n_bins + 1)[1:-1], tail)
    edges = np.unique(np.quantile(kind[known], inner))
    return np.where(known, np.searchsorted(edges, kind, side="right"), -1)


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


def _speaks_for_wrong(places: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Return (N,) log ratio of how often a value occurs among wrong and among right labels.

    Args:
        places: (N,) of one kind of evidence, see ``_binned``.
        wrong: (N,) probabilities.
    """
    known = places >= 0
    if not known.any():
        return np.zeros(len(places))
    n = int(places.max()) + 1
    # Half a sample more of each, so that nothing is impossible.
    among = [np.bincount(places[known], p[known], n) + 0.5 for p in (wrong, 1 - wrong)]
    ratio = np.log(among[0] / among[0].sum()) - np.log(among[1] / among[1].sum())
    rising = isotonic_regression(ratio, weights=among[0] + among[1]).x
    return np.where(known, rising[places], 0)
