"""Failures whose doubted labels are too many to be wrong: their inputs are odd instead."""

import torch
from scipy.stats import beta, binom, ks_2samp, mannwhitneyu
from torch import Tensor

from rnnrepair.influence.inputs import input_distances, nearest_by
from rnnrepair.influence.suspicion import Suspicion
from rnnrepair.influence.view import TrainingView
from rnnrepair.sequences import Kind
from rnnrepair.sequences.summaries import means_and_spreads
from rnnrepair.traces import Traces

# Training samples whose own nearest ones tell which distances are usual.
FAR_OF = 200
# Wrong labels do not explain doubts that are so many times as many as training lets expect, at this
# level of a binomial test.
TIMES, LEVEL = 2, 0.001
# Wrong labels for one that is suspect, at most, where inputs tell little.
OVERLOOKED = 3
# Training samples that each doubted failure is compared with, at most.
ALIKE = 20


def beyond_wrong_labels(
    view: TrainingView,
    failures: Traces,
    doubted: Tensor,
    suspicion: Suspicion,
    among: float | None,
    far: Tensor,
    nearest: int,
    order: Tensor,
) -> int:
    """Return how many labels are doubted, where odd inputs explain that and wrong labels do not.

    Else 0: they are no more than wrong labels as frequent as in training would be, or their inputs
    are like those of training samples of the predicted classes, as they are if only the label is
    wrong.

    Args:
        view: of the training data, N original samples.
        failures: traces of M failures.
        doubted: (M,) bool.
        suspicion: of the training labels.
        among: see ``doubt_labels``.
        far: (M,) mean distances by inputs to the nearest training samples.
        nearest: how many these are.
        order: (N,) rows of the training samples, at random.
    """
    n_doubted = int(doubted.sum())
    if not _too_many(n_doubted, among, suspicion):
        return 0
    fit = view.traces.between(0, view.n_original)
    alike = _of_the_predicted(fit, failures.final_prediction[doubted].long(), order)
    if len(alike) == 0:
        return 0
    if _differ(view, fit, failures.select(doubted), alike):
        return n_doubted
    some = alike[torch.linspace(0, len(alike) - 1, min(FAR_OF, len(alike))).long()]
    usual = usual_distances(view, fit, some, order, nearest)
    p = mannwhitneyu(far[doubted].numpy(), usual.numpy()).pvalue
    return n_doubted if p <= LEVEL else 0


def _too_many(n_doubted: int, among: float | None, suspicion: Suspicion) -> bool:
    """Return whether wrong labels do not explain that so many are doubted.

    As many of them are expected as in training: no more than may be wrong at most, nor many times
    as many as are suspect.

    Args:
        n_doubted: of them.
        among: see ``doubt_labels``.
        suspicion: of the training labels.
    """
    if among is None or suspicion.rate is None:
        return False
    n = len(suspicion.suspect)
    n_suspect = int(suspicion.suspect.sum())
    found = float(beta.ppf(1 - LEVEL, n_suspect + 1, n - n_suspect)) if n_suspect < n else 1.0
    rate = min(suspicion.rate, OVERLOOKED * found)
    p = binom.sf(n_doubted - 1, round(among), rate)
    return n_doubted > TIMES * rate * among and bool(p <= LEVEL)


def _of_the_predicted(fit: Traces, said: Tensor, order: Tensor) -> Tensor:
    """Return (n,) rows of training samples of the predicted classes, each as frequent as there.

    None where training has fewer of a class than were predicted.

    Args:
        fit: N original samples.
        said: (m,) int64 predicted classes.
        order: (N,) of the samples of ``fit``, at random.
    """
    wanted, label = said.bincount(minlength=fit.n_classes), fit.label[order]
    there = label.bincount(minlength=fit.n_classes)
    times = int((there[wanted > 0] // wanted[wanted > 0]).min().clamp(0, ALIKE))
    return torch.cat([order[label == c][: times * n] for c, n in enumerate(wanted.tolist())])


def _differ(view: TrainingView, fit: Traces, doubted: Traces, alike: Tensor) -> bool:
    """Return whether values are unlike those of training samples of the predicted classes.

    Means and spreads of the channels are compared, by Kolmogorov's and Smirnov's test: samples that
    only carry a wrong label are like these. Of texts nothing is.

    Args:
        view: of the training data.
        fit: its N original samples.
        doubted: failures.
        alike: (n,) rows of samples of ``fit`` to compare with.
    """
    batch = view.fetch(doubted.index)
    if not batch.inputs.is_floating_point():
        return False
    theirs = means_and_spreads(view.fetch(fit.index[alike]), Kind.SERIES)
    found = zip(means_and_spreads(batch, Kind.SERIES).T.numpy(), theirs.T.numpy(), strict=True)
    p = [ks_2samp(own, other).pvalue for own, other in found]
    return min(p) * len(p) <= LEVEL


def usual_distances(
    view: TrainingView, fit: Traces, rows: Tensor, order: Tensor, nearest: int
) -> Tensor:
    """Return (n,) mean distances by inputs of training samples in some rows to their nearest."""
    near = nearest_by(input_distances(fit, fit.select(rows), view.fetch_scaled), order, nearest + 1)
    other = near.row != rows[:, None]
    other &= other.cumsum(1) <= nearest
    return mean_of_known(near.distance.masked_fill(~other, torch.inf))


def mean_of_known(distance: Tensor) -> Tensor:
    """Return (n,) means of the finite ones of (n, top) distances."""
    known = distance.isfinite()
    return distance.masked_fill(~known, 0).sum(1) / known.sum(1).clamp_min(1)
