"""Which training samples may carry a wrong label, and which label the evidence speaks for."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from rnnrepair.influence.labels import (
    input_features,
    linear_labels,
    neighbour_labels,
    wrong_label_odds,
    wrong_label_rate,
)
from rnnrepair.influence.ranking import Ranking
from rnnrepair.influence.similarity import TraceSimilarity
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.view import TrainingView
from rnnrepair.traces import Traces

# Standard errors by which votes must be better than chance.
SURELY = 3
# Samples, drawn at random, that some are judged among where not all are asked for.
AMONG = 2500


@dataclass(frozen=True)
class Suspicion:
    """How suspicious the labels of N training samples are, by themselves.

    Attributes:
        index: (N,) int64.
        score: (N,) float32 in [0, 1], the probability that the label is wrong, as far as the
            evidence tells.
        suggested: (N,) int64, the label that the evidence speaks for.
        suspect: (N,) bool, more likely wrong than right, and most kinds of evidence put another
            label first.
        rate: share of all labels that is wrong at most, by estimate; None where there is none.
    """

    index: Tensor
    score: Tensor
    suggested: Tensor
    suspect: Tensor
    rate: float | None = None

    def suspects_among(self, index: Tensor) -> Tensor:
        """Return bool of the shape of ``index``: those that are suspect; -1 is no sample."""
        return torch.isin(index, self.index[self.suspect])


def suspect_labels(view: TrainingView, seed: int = 0, rows: Tensor | None = None) -> Suspicion:
    """Judge the labels of the original training samples of a view; injected ones have no say.

    Three kinds of evidence, see ``wrong_label_odds``: how far the margin of the label stayed behind
    while the network was trained (where that was not recorded, how many of the nearest traces
    carry another label), how many of the samples with the nearest inputs do, and how much better
    another label fits a linear model of the inputs. The latter two know no network, and so nothing
    of what it has learnt by heart; they tell how many labels are wrong, too
    (``wrong_label_rate``), and no more than these are expected. It costs a search for neighbours
    among 5,000 samples.

    Args:
        view: of the training data.
        seed: of the samples that vote, where there are many.
        rows: (n,) int64 rows of original samples that are asked for: they are judged among 2,500
            drawn ones, which are told too, and all the others cost nothing. All where None.
    """
    traces = view.traces.between(0, view.n_original)
    if rows is not None:
        drawn = tie_order(traces.index, seed)[:AMONG]
        traces = traces.select(torch.cat([rows, drawn]).unique())
    label, n_classes = traces.label, traces.n_classes
    features = input_features(traces, view.fetch, seed)
    near = neighbour_labels(features, label, n_classes, seed)
    linear = linear_labels(features, label, n_classes, seed)
    by_inputs = [_of_inputs(kind, label) for kind in (near, linear)]
    evidence = torch.stack([_of_the_network(view, traces, seed), *by_inputs])
    # Samples have no say in what is said of their inputs, so these tell how many are wrong.
    rate = min(
        (
            wrong_label_rate(votes, label, seed)
            for votes, kind in zip((near, linear), by_inputs, strict=True)
            if not kind.isnan().all()
        ),
        default=1.0,
    )
    odds = wrong_label_odds(evidence, label, rate)
    votes = near + linear.clamp(0, 1) + one_hot(traces.final_prediction, n_classes)
    other = votes.scatter(1, label[:, None], -torch.inf).argmax(1)
    # A label that no kind puts behind another is none of the wrong ones, however few these are.
    against, told = (evidence > 0).sum(0), (~evidence.isnan()).sum(0)
    suspect = (odds >= 0) & (2 * against > told)
    suggested = torch.where(suspect, other, label)
    told_rate = rate if rate < 1 else None
    return Suspicion(traces.index, odds.sigmoid(), suggested, suspect, told_rate)


def _of_the_network(view: TrainingView, traces: Traces, seed: int) -> Tensor:
    """Return (N,) float64 evidence of the network about traces, NaN where nothing is known."""
    if view.dynamics is None:
        votes = TraceSimilarity(seed=seed).fit(replace(view, traces=traces)).votes(traces)
        return _best_other(votes.double(), traces.label)
    known = view.dynamics.knows(traces.index, traces.label)
    margin = torch.full((len(traces),), torch.nan, dtype=torch.float64)
    margin[known] = view.dynamics.margin[traces.index[known]]
    return -margin


def _of_inputs(votes: Tensor, label: Tensor) -> Tensor:
    """Return (N,) float64 evidence of (N, C) votes, NaN where they guess no better than chance.

    Both kinds of votes are of the same inputs: where those say nothing of the labels, the two err
    alike, and would take that for agreement.
    """
    n = len(label)
    chance = float(label.bincount().max()) / n
    right = float((votes.argmax(1) == label).float().mean())
    if right <= chance + SURELY * (chance * (1 - chance) / n) ** 0.5:
        return torch.full((n,), torch.nan, dtype=torch.float64)
    return _best_other(votes, label)


def _best_other(votes: Tensor, label: Tensor) -> Tensor:
    """Return (N,) float64 by how much the best other label has more of (N, C) votes."""
    at_label = label[:, None]
    best = votes.scatter(1, at_label, -torch.inf).amax(1)
    return (best - votes.gather(1, at_label)[:, 0]).double()


def look_alikes(view: TrainingView, rows: Tensor, top: int, seed: int = 0) -> Ranking:
    """Return the nearest other original training samples of some of them.

    Args:
        view: of the training data.
        rows: (n,) int64 rows of original samples.
        top: samples of each.
        seed: of the order of ties.

    Returns:
        (n, top) rows and distances; -1 and infinite where there are no more.
    """
    traces = view.traces.between(0, view.n_original)
    near = (
        TraceSimilarity(seed=seed)
        .fit(replace(view, traces=traces))
        .rank(traces.select(rows), top + 1)
    )
    # Each is its own neighbour, unless many are equal to it.
    last = (near.row == rows[:, None]) | (near.row < 0)
    order = last.int().argsort(dim=1, stable=True)[:, :top]
    gone = last.gather(1, order)
    return Ranking(
        near.row.gather(1, order).masked_fill(gone, -1),
        near.distance.gather(1, order).masked_fill(gone, torch.inf),
    )
