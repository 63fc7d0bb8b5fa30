"""Which training samples may carry a wrong label, and which label the evidence speaks for."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rnnrepair.influence.ranking import Ranking
from rnnrepair.influence.similarity import TraceSimilarity
from rnnrepair.influence.ties import tie_order
from rnnrepair.influence.view import TrainingView

# A label is suspect where neighbours speak so many times as loud for another one (method 5.5).
ODDS = 5.0
# Training samples that vote, drawn at random where there are more: bounds the time.
VOTERS = 10_000


@dataclass(frozen=True)
class Suspicion:
    """How suspicious the labels of N training samples are, by themselves.

    Attributes:
        index: (N,) int64.
        score: (N,) float32 in [0, 1], higher is more suspicious.
        suggested: (N,) int64, the label that the evidence speaks for.
        threshold: score from which on a label is suspect; above 1 where none is.
    """

    index: Tensor
    score: Tensor
    suggested: Tensor
    threshold: float

    @property
    def suspect(self) -> Tensor:
        """(N,) bool."""
        return self.score >= self.threshold

    def suspects_among(self, index: Tensor) -> Tensor:
        """Return bool of the shape of ``index``: those that are suspect; -1 is no sample."""
        return torch.isin(index, self.index[self.suspect])


def suspect_labels(view: TrainingView, seed: int = 0) -> Suspicion:
    """Judge the labels of the original training samples of a view; injected ones have no say.

    The score is the mean rank of two kinds of evidence: the odds of the labels of the nearest
    traces, and the margin of the label while the network was trained, where it was recorded. How
    many labels are suspect is told by the odds alone, which need no rate of wrong labels.

    Args:
        view: of the training data.
        seed: of the samples that vote, where there are many.
    """
    traces = view.traces.between(0, view.n_original)
    voters = traces.select(tie_order(traces.index, seed)[:VOTERS].sort().values)
    votes = TraceSimilarity(seed=seed).fit(replace(view, traces=voters)).votes(traces)
    odds, other = _odds(votes, traces.label)
    evidence = [odds]
    # None unless somebody has recorded the training.
    dynamics: Any = getattr(view, "dynamics", None)
    if dynamics is not None:
        evidence.append(-dynamics.margin[traces.index])
    score = torch.stack([_ranks(part) for part in evidence]).mean(0)
    suggested = torch.where(odds > 1, other, traces.label)
    return Suspicion(traces.index, score, suggested, _threshold(score, int((odds >= ODDS).sum())))


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


def _odds(votes: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Return (N,) odds for the best other label against the own one, and that label.

    Each label counts once more than it was found, so that none is impossible.
    """
    own = votes.gather(1, label[:, None]).squeeze(1)
    best = votes.scatter(1, label[:, None], -1).max(1)
    return (1 + best.values) / (1 + own), best.indices


def _ranks(values: Tensor) -> Tensor:
    """Return (N,) ranks in (0, 1], the mean rank for equal values."""
    _, group, size = values.unique(return_inverse=True, return_counts=True)
    last = size.cumsum(0)
    return ((last - (size - 1) / 2) / max(len(values), 1))[group].float()


def _threshold(score: Tensor, n_suspects: int) -> float:
    """Return the score from which on so many samples are suspect, ties aside; 2 for none."""
    if n_suspects == 0:
        return 2.0
    return float(score.sort(descending=True).values[n_suspects - 1])
