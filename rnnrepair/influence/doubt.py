"""Whether the label of a failure, or those of its neighbours, may be wrong."""

from dataclasses import dataclass
from typing import Annotated

import torch
from scipy.stats import beta, binom, ks_2samp, mannwhitneyu
from torch import Tensor

from rnnrepair.influence.inputs import ToQueries, input_distances, nearest_by
from rnnrepair.influence.labels import SharedValue, is_far
from rnnrepair.influence.near_copies import nearly_same
from rnnrepair.influence.reduced_views import ends_of
from rnnrepair.influence.suspicion import Suspicion
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.view import TrainingView
from rnnrepair.sequences import Kind
from rnnrepair.sequences.summaries import summaries_of
from rnnrepair.settings import Count, Size, at_least, check_settings
from rnnrepair.traces import Traces

# Of the nearest samples that speak for the prediction, so many are asked whether they are suspect.
ASKED = 5
# Training samples that the usual distance from a failure is measured on.
USUAL_OF = 2000
# Those whose own nearest samples tell from which distance on a failure is far from all of them.
FAR_OF = 200
# Wrong labels do not explain doubts that are so many times as many as training lets expect, at this
# level of a binomial test.
TIMES, LEVEL = 2, 0.001
# Wrong labels for one that is suspect, at most, where inputs tell little.
OVERLOOKED = 3
# Training samples that each doubted failure is compared with, at most.
ALIKE = 20


@dataclass(frozen=True)
class Doubting:
    """When a label is doubted (docs/method.md 5.4).

    Attributes:
        nearest: training samples that vote, of each of the two kinds of nearness.
        odds: votes for another label against those for the label, from which on it is doubted.
        copy: a near copy is at most so far, as a share of the usual distance; of texts it differs
            in such a share of their words too.
    """

    nearest: Count = 20
    odds: Annotated[float, at_least(1)] = 30.0
    copy: Size = 0.1

    def __post_init__(self) -> None:
        """Refuse what is out of range.

        Raises:
            SettingsError: names every such value.
        """
        check_settings(Doubting, vars(self))


@dataclass(frozen=True)
class LabelDoubt:
    """What speaks against the labels around M failures.

    Attributes:
        odds: (M,) float32 votes of the neighbours for the predicted against the failure's label,
            lower for a class of few samples; see ``Doubting``.
        own: (M,) bool: the neighbours agree with the prediction, so the failure's label is suspect;
            not where that says nothing (``explained``, far from all training samples,
            ``too_many``), and not where a person has looked at the label.
        neighbours: (M,) bool: most of those that speak for the prediction are suspect themselves.
        copies: (M, nearest) int64 indices of training samples that are near copies with another
            label, nearest first, -1 where there are no more.
        explained_by: (M,) int64 place in ``shared`` of what explains a doubt without a wrong label:
            most training samples with the same value are doubted too; -1 for nothing.
        shared: values of the user's columns that doubted training samples share.
        too_many: failures that the neighbours speak against, where these are far more than wrong
            labels as frequent as in training explain, and their inputs differ from those of
            training: more likely that is why. 0 where they are not.
    """

    odds: Tensor
    own: Tensor
    neighbours: Tensor
    copies: Tensor
    explained_by: Tensor
    shared: tuple[SharedValue, ...] = ()
    too_many: int = 0

    @property
    def too_many_told(self) -> str:
        """Why no label is called suspect by its neighbours; empty where that is open."""
        if not self.too_many:
            return ""
        return (
            f"Training samples like {self.too_many} of the {len(self.odds)} failures have other "
            "labels than these, far more than wrong labels as frequent as in training would "
            "explain, and these inputs differ from those of training: more likely that is why than "
            "so many wrong labels. None is called suspect for that; look at some."
        )

    @property
    def score(self) -> Tensor:
        """(M,) float32 in [0, 1], the share of the odds that speaks for the predicted label."""
        return self.odds / (1 + self.odds)

    @property
    def explained(self) -> Tensor:
        """(M,) bool, whether a value of a column explains a doubt."""
        return self.explained_by >= 0

    @property
    def copied(self) -> Tensor:
        """(M,) bool, whether a near copy carries another label."""
        return self.copies[:, 0] >= 0

    @property
    def suspect(self) -> Tensor:
        """(M,) bool, whether anything speaks against a label, and no value explains it."""
        return (self.own | self.neighbours | self.copied) & ~self.explained


def doubt_labels(
    view: TrainingView,
    failures: Traces,
    suspicion: Suspicion,
    doubting: Doubting | None = None,
    seed: int = 0,
    among: float | None = None,
) -> LabelDoubt:
    """Compare the labels of failures with those of their neighbours.

    Neighbours by the last state alone would mostly agree with the prediction, which is made of that
    state; neighbours by the inputs know no network. So both are asked, and their odds multiplied.

    Args:
        view: of the training data, N original samples, one at least.
        failures: traces of M failures.
        suspicion: of the training samples.
        doubting: see ``Doubting``.
        seed: of the order of ties.
        among: samples of the same kind, right or wrong, that these failures are all failures of;
            None where that is not known.
    """
    doubting = doubting or Doubting()
    fit = view.traces.between(0, view.n_original)
    order = tie_order(fit.index, seed)
    by_inputs = input_distances(fit, failures, view.fetch)
    by_state = _state_distances(view, fit, failures)
    near = nearest_by(by_inputs, order, doubting.nearest)
    rows = [nearest_by(by_state, order, doubting.nearest).row, near.row]
    votes = [_labels(fit, found) for found in rows]
    odds = _odds(votes, failures.final_prediction, failures.label, fit)
    explained_by = torch.full((len(failures),), -1)
    # The most surprising, which is the first, is told where several do.
    for place, value in reversed(list(enumerate(suspicion.shared))):
        explained_by[value.explains(view.columns, failures.index, failures.label)] = place
    usual_far = _usual_distances(view, fit, order[:FAR_OF], order, doubting.nearest)
    far = is_far(_mean(near.distance), usual_far)
    checked = torch.isin(failures.index, view.checked)
    usual = by_inputs(order[:USUAL_OF]).median(0).values
    other = (votes[1] != failures.label[:, None]) & (near.row >= 0)
    is_copy = other & (near.distance <= doubting.copy * usual[:, None]) & ~checked[:, None]
    if not view.fetch(failures.index[:1]).inputs.is_floating_point():
        is_copy = nearly_same(view, failures, near.row.where(is_copy, -1), doubting.copy)
    copies = _first(torch.where(is_copy, fit.index[near.row], -1))
    neighbours = _suspect_neighbours(rows[0], fit, failures, suspicion) & ~checked
    doubted = (odds >= doubting.odds) & ~checked
    explained_by[~(doubted | neighbours | (copies[:, 0] >= 0))] = -1
    own = doubted & (explained_by < 0) & ~far
    too_many = _too_many(int(own.sum()), among, suspicion)
    # Wrong labels are those of inputs like any others.
    if too_many:
        alike = _of_the_predicted(fit, failures.final_prediction[own].long(), order)
        doubted_ones = failures.select(own.nonzero()[:, 0])
        if not _differ(view, fit, doubted_ones, alike):
            some = alike[torch.linspace(0, len(alike) - 1, min(FAR_OF, len(alike))).long()]
            theirs = _usual_distances(view, fit, some, order, doubting.nearest)
            differs = len(some) > 0 and _are_unlike(_mean(near.distance)[own], theirs)
            too_many *= int(differs)
    own &= too_many == 0
    return LabelDoubt(odds, own, neighbours, copies, explained_by, suspicion.shared, too_many)


def _too_many(n_doubted: int, among: float | None, suspicion: Suspicion) -> int:
    """Return how many labels are doubted where wrong labels do not explain so many, else 0.

    As many of them are expected as in training: no more than may be wrong at most, nor many times
    as many as are suspect.

    Args:
        n_doubted: of them.
        among: see ``doubt_labels``.
        suspicion: of the training labels.
    """
    if among is None or suspicion.rate is None:
        return 0
    n = len(suspicion.suspect)
    n_suspect = int(suspicion.suspect.sum())
    found = float(beta.ppf(1 - LEVEL, n_suspect + 1, n - n_suspect)) if n_suspect < n else 1.0
    rate = min(suspicion.rate, OVERLOOKED * found)
    if n_doubted <= TIMES * rate * among:
        return 0
    return n_doubted if binom.sf(n_doubted - 1, round(among), rate) <= LEVEL else 0


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
    if not batch.inputs.is_floating_point() or len(alike) == 0:
        return False
    theirs = summaries_of(view.fetch(fit.index[alike]), Kind.SERIES)
    found = zip(summaries_of(batch, Kind.SERIES).T.numpy(), theirs.T.numpy(), strict=True)
    p = [ks_2samp(own, other).pvalue for own, other in found]
    return min(p) * len(p) <= LEVEL


def _are_unlike(distance: Tensor, theirs: Tensor) -> bool:
    return bool(mannwhitneyu(distance.numpy(), theirs.numpy()).pvalue <= LEVEL)


def _usual_distances(
    view: TrainingView, fit: Traces, rows: Tensor, order: Tensor, nearest: int
) -> Tensor:
    """Return (n,) mean distances by inputs of training samples in some rows to their nearest."""
    near = nearest_by(input_distances(fit, fit.select(rows), view.fetch), order, nearest + 1)
    other = near.row != rows[:, None]
    other &= other.cumsum(1) <= nearest
    return _mean(near.distance.masked_fill(~other, torch.inf))


def _mean(distance: Tensor) -> Tensor:
    """Return (n,) means of the finite ones of (n, top) distances."""
    known = distance.isfinite()
    return distance.masked_fill(~known, 0).sum(1) / known.sum(1).clamp_min(1)


def _suspect_neighbours(row: Tensor, fit: Traces, failures: Traces, suspicion: Suspicion) -> Tensor:
    """Return (M,) bool: whether most neighbours that speak for the prediction are suspect.

    Args:
        row: (M, top) rows of the nearest training samples, -1 where there are no more.
        fit: N training samples.
        failures: M traces.
        suspicion: of the training samples.
    """
    speaks = _labels(fit, row) == failures.final_prediction[:, None]
    asked = speaks & (speaks.cumsum(1) <= ASKED)
    suspect = suspicion.suspects_among(torch.where(asked, fit.index[row], -1))
    return 2 * suspect.sum(1) > asked.sum(1)


def _labels(fit: Traces, row: Tensor) -> Tensor:
    """Return the labels of training samples by (M, top) row, -1 where there is none."""
    return torch.where(row >= 0, fit.label[row], -1)


def _odds(votes: list[Tensor], wanted: Tensor, label: Tensor, fit: Traces) -> Tensor:
    """Return (M,) product of the odds of all votes: each counts once more, so that none is 0.

    Where training has few samples of the failure's class, all votes count against it for that
    alone; in the product that would count twice. A class of many samples gets no such discount.

    Args:
        votes: (M, top) labels each.
        wanted: (M,) the label that they may speak for.
        label: (M,) the label that they may speak against.
        fit: whose samples vote.
    """
    size = fit.label.bincount(minlength=fit.n_classes).float().clamp_min(1)
    odds = (size[label] / size[wanted]).clamp_max(1)
    for vote in votes:
        odds *= (1 + (vote == wanted[:, None]).sum(1)) / (1 + (vote == label[:, None]).sum(1))
    return odds


def _state_distances(view: TrainingView, fit: Traces, failures: Traces) -> ToQueries:
    ends, failed_ends = ends_of(view, fit), ends_of(view, failures)
    return lambda rows: torch.cdist(ends[rows], failed_ends)


def _first(index: Tensor) -> Tensor:
    """Move the indices of each row of (M, top) before the places without one, order kept."""
    return index.gather(1, (index < 0).int().argsort(dim=1, stable=True))
