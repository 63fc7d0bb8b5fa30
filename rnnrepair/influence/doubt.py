"""Whether the label of a failure, or those of its neighbours, may be wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from rnnrepair.influence.inputs import ToQueries, input_distances, nearest_by
from rnnrepair.influence.suspicion import Suspicion
from rnnrepair.influence.ties import tie_order
from rnnrepair.sequences import SequenceBatch
from rnnrepair.settings import Count, Size, at_least, check_settings
from rnnrepair.traces import Traces

# Of the nearest samples that speak for the prediction, so many are asked whether they are suspect.
ASKED = 5
# Training samples that the usual distance from a failure is measured on.
USUAL_OF = 2000


@dataclass(frozen=True)
class Doubting:
    """When a label is doubted (docs/method.md 5.4).

    Attributes:
        nearest: training samples that vote, of each of the two kinds of nearness.
        odds: votes for another label against those for the label, from which on it is doubted.
        copy: a near copy is at most so far, as a share of the usual distance.
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
        odds: (M,) float32 votes of the neighbours for the predicted against the failure's label;
            see ``Doubting``.
        own: (M,) bool: the neighbours agree with the prediction, so the failure's label is suspect.
        neighbours: (M,) bool: most of those that speak for the prediction are suspect themselves.
        copies: (M, nearest) int64 indices of training samples that are near copies with another
            label, nearest first, -1 where there are no more.
    """

    odds: Tensor
    own: Tensor
    neighbours: Tensor
    copies: Tensor

    @property
    def copied(self) -> Tensor:
        """(M,) bool, whether a near copy carries another label."""
        return self.copies[:, 0] >= 0

    @property
    def suspect(self) -> Tensor:
        """(M,) bool, whether anything speaks against a label."""
        return self.own | self.neighbours | self.copied


def doubt_labels(
    fit: Traces,
    fit_end: Tensor,
    failures: Traces,
    failure_end: Tensor,
    fetch: Callable[[Tensor], SequenceBatch],
    judge: Callable[[Tensor], Suspicion],
    doubting: Doubting | None = None,
    seed: int = 0,
) -> LabelDoubt:
    """Compare the labels of failures with those of their neighbours.

    Neighbours by the last state alone would mostly agree with the prediction, which is made of that
    state; neighbours by the inputs know no network. So both are asked, and their odds multiplied.

    Args:
        fit: traces of N training samples, one at least.
        fit_end: (N, k) reduced states that they end in.
        failures: traces of M failures.
        failure_end: (M, k) the same of them.
        fetch: returns the sequences with some indices.
        judge: asked for (n,) rows of training samples, returns what speaks against their labels.
        doubting: see ``Doubting``.
        seed: of the order of ties.
    """
    doubting = doubting or Doubting()
    order = tie_order(fit.index, seed)
    by_inputs = input_distances(fit, failures, fetch)
    by_state = _state_distances(fit_end, failure_end)
    near = nearest_by(by_inputs, order, doubting.nearest)
    rows = [nearest_by(by_state, order, doubting.nearest).row, near.row]
    votes = [_labels(fit, found) for found in rows]
    odds = _odds(votes, failures.final_prediction, failures.label)
    usual = by_inputs(order[:USUAL_OF]).median(0).values
    other = (votes[1] != failures.label[:, None]) & (near.row >= 0)
    is_copy = other & (near.distance <= doubting.copy * usual[:, None])
    return LabelDoubt(
        odds,
        odds >= doubting.odds,
        _suspect_neighbours(rows[0], fit, failures, judge),
        _first(torch.where(is_copy, fit.index[near.row], -1)),
    )


def _suspect_neighbours(
    row: Tensor, fit: Traces, failures: Traces, judge: Callable[[Tensor], Suspicion]
) -> Tensor:
    """Return (M,) bool: whether most neighbours that speak for the prediction are suspect.

    Args:
        row: (M, top) rows of the nearest training samples, -1 where there are no more.
        fit: see ``doubt_labels``, as the next two.
        failures: M traces.
        judge: see ``doubt_labels``.
    """
    speaks = _labels(fit, row) == failures.final_prediction[:, None]
    asked = speaks & (speaks.cumsum(1) <= ASKED)
    suspicion = judge(row[asked].unique())
    suspect = suspicion.suspects_among(torch.where(asked, fit.index[row], -1))
    return 2 * suspect.sum(1) > asked.sum(1)


def _labels(fit: Traces, row: Tensor) -> Tensor:
    """Return the labels of training samples by (M, top) row, -1 where there is none."""
    return torch.where(row >= 0, fit.label[row], -1)


def _odds(votes: list[Tensor], wanted: Tensor, label: Tensor) -> Tensor:
    """Return (M,) product of the odds of all votes: each counts once more, so that none is 0.

    Args:
        votes: (M, top) labels each.
        wanted: (M,) the label that they may speak for.
        label: (M,) the label that they may speak against.
    """
    odds = torch.ones(len(label))
    for vote in votes:
        odds *= (1 + (vote == wanted[:, None]).sum(1)) / (1 + (vote == label[:, None]).sum(1))
    return odds


def _state_distances(fit_end: Tensor, end: Tensor) -> ToQueries:
    return lambda rows: torch.cdist(fit_end[rows], end)


def _first(index: Tensor) -> Tensor:
    """Move the indices of each row of (M, top) before the places without one, order kept."""
    return index.gather(1, (index < 0).int().argsort(dim=1, stable=True))
