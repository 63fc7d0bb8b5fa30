"""Whether the label of a failure, or those of its neighbours, may be wrong."""

from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Tensor

from rnnrepair.influence.inputs import ToQueries, input_distances, nearest_by
from rnnrepair.influence.labels import SharedValue, is_far
from rnnrepair.influence.moved_last import moved_last
from rnnrepair.influence.near_copies import nearly_same
from rnnrepair.influence.odd_failures import (
    FAR_OF,
    beyond_wrong_labels,
    mean_of_known,
    usual_distances,
)
from rnnrepair.influence.reduced_views import ends_of
from rnnrepair.influence.suspicion import Suspicion
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.view import TrainingView
from rnnrepair.settings import Count, Size, at_least, check_settings
from rnnrepair.traces import Traces

# Of the nearest samples that speak for the prediction, so many are asked whether they are suspect.
ASKED = 5
# Training samples that the usual distance from a failure is measured on.
USUAL_OF = 2000
# Training samples that it is measured from, where no failure is.
ASKED_FROM = 50


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

    def select(self, rows: Tensor) -> "LabelDoubt":
        """Return what is doubted of some of the failures.

        Args:
            rows: (k,) int64 of the failures.
        """
        of_failures = ("odds", "own", "neighbours", "copies", "explained_by")
        return replace(self, **{name: getattr(self, name)[rows] for name in of_failures})


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
    by_inputs = input_distances(fit, failures, view.fetch_scaled)
    by_state = _state_distances(view, fit, failures)
    near = nearest_by(by_inputs, order, doubting.nearest)
    rows = [nearest_by(by_state, order, doubting.nearest).row, near.row]
    votes = [_labels(fit, found) for found in rows]
    odds = _odds(votes, failures.final_prediction, failures.label, fit)
    explained_by = torch.full((len(failures),), -1)
    # The most surprising, which is the first, is told where several do.
    for place, value in reversed(list(enumerate(suspicion.shared))):
        explained_by[value.explains(view.columns, failures.index, failures.label)] = place
    usual_far = usual_distances(view, fit, order[:FAR_OF], order, doubting.nearest)
    far = is_far(mean_of_known(near.distance), usual_far)
    checked = torch.isin(failures.index, view.checked)
    usual = by_inputs(order[:USUAL_OF]).median(0).values.clamp_max(_usually_apart(view, fit, order))
    other = (votes[1] != failures.label[:, None]) & (near.row >= 0)
    is_copy = other & (near.distance <= doubting.copy * usual[:, None]) & ~checked[:, None]
    if not view.fetch(failures.index[:1]).inputs.is_floating_point():
        is_copy = nearly_same(view, failures, near.row.where(is_copy, -1), doubting.copy)
    (copies,) = moved_last(~is_copy, fit.index[near.row])
    neighbours = _suspect_neighbours(rows[0], fit, failures, suspicion) & ~checked
    doubted = (odds >= doubting.odds) & ~checked
    explained_by[~(doubted | neighbours | (copies[:, 0] >= 0))] = -1
    own = doubted & (explained_by < 0) & ~far
    too_many = beyond_wrong_labels(
        view, failures, own, suspicion, among, mean_of_known(near.distance), doubting.nearest, order
    )
    own &= too_many == 0
    return LabelDoubt(odds, own, neighbours, copies, explained_by, suspicion.shared, too_many)


def _usually_apart(view: TrainingView, fit: Traces, order: Tensor) -> float:
    """Return the usual distance of two training samples by their inputs.

    What is far from all training samples is near to none: to such a failure, those few would be
    near copies that are as far away as it is.
    """
    some = fit.select(order[:ASKED_FROM])
    return float(input_distances(fit, some, view.fetch_scaled)(order[:USUAL_OF]).median())


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
