"""Which training samples may carry a wrong label, and which label the evidence speaks for."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from rnnrepair.influence.caution import caution
from rnnrepair.influence.label_evidence import label_evidence
from rnnrepair.influence.labels import (
    SharedValue,
    is_far,
    shared_values,
    wrong_label_odds,
)
from rnnrepair.influence.moved_last import moved_last
from rnnrepair.influence.ranking import Ranking
from rnnrepair.influence.similarity import TraceSimilarity
from rnnrepair.influence.view import TrainingView
from rnnrepair.traces import Traces

# Share of labels that are suspect, from which on it is told that right ones may be among them.
MANY = 0.005


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
        shared: values of the user's columns that doubted samples share; where such a value
            explains a doubt, the sample is not suspect.
        n_far: samples that would be suspect if they were not far from all others.
        rate: share of all labels that is wrong at most, by estimate; None where there is none.
        explained: (N,) bool, samples that would be suspect if no value in ``shared`` explained
            that; empty where there is none.
        caution: why many of the suspect labels may be right; empty where few are.
    """

    index: Tensor
    score: Tensor
    suggested: Tensor
    suspect: Tensor
    shared: tuple[SharedValue, ...] = ()
    n_far: int = 0
    rate: float | None = None
    explained: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.bool))
    caution: str = ""

    @property
    def told(self) -> str:
        """How many labels are suspect, and how sure that is, for people; empty where none is."""
        n_suspect = int(self.suspect.sum())
        if n_suspect == 0:
            return ""
        told = f"Training: {n_suspect} of {len(self.index)} labels are suspect"
        if self.rate is not None:
            told += f"; if wrong ones are spread at random, at most {self.rate:.1%} are wrong"
        many = self.caution and n_suspect >= MANY * len(self.index)
        return f"{told}. {self.caution}." if many else f"{told}."

    def suspects_among(self, index: Tensor) -> Tensor:
        """Return bool of the shape of ``index``: those that are suspect; -1 is no sample."""
        return torch.isin(index, self.index[self.suspect])

    def without(self, checked: Tensor, label: Tensor) -> "Suspicion":
        """Return the same where a person has looked at some labels: those are right.

        Args:
            checked: (k,) int64 indices of samples, of any split.
            label: (N,) int64 of the training samples.
        """
        right = torch.isin(self.index, checked)
        return replace(
            self,
            score=self.score.masked_fill(right, 0),
            suggested=torch.where(right, label, self.suggested),
            suspect=self.suspect & ~right,
            explained=self.explained & ~right if len(self.explained) else self.explained,
        )


def suspect_labels(view: TrainingView, seed: int = 0) -> Suspicion:
    """Judge the labels of the original training samples of a view; injected ones have no say.

    Three kinds of evidence, see ``wrong_label_odds``: how far the margin of the label stayed behind
    while the network was trained (where that was not recorded, how many of the nearest traces
    carry another label), how many of the samples with the nearest inputs do, and how much better
    another label fits a regression on the inputs. The latter two know no network, and so nothing of
    what it has learnt by heart; they tell how many labels are wrong, too (``wrong_label_rate``),
    and no more than these are expected. Where one kind alone has a say, only what lies far outside
    of its class is suspect. It costs a search for neighbours among 5,000 samples, and kernels
    around 500 where inputs are not words.

    Where far more of the doubted samples than of all have one value of the user's columns
    (``shared_values``), the samples with the value are compared with each other: a device that
    records with the opposite sign makes all its labels look wrong. Samples that are far from all
    others, and labels that a person has looked at, are not suspect.

    Args:
        view: of the training data.
        seed: of the samples that vote, where there are many.
    """
    traces = view.traces.between(0, view.n_original)
    label, found = traces.label, label_evidence(view, traces, seed)
    rates = found.rates
    odds = wrong_label_odds(found.kinds, label, rates.expected, found.counts)
    open_ = ~torch.isin(traces.index, view.checked)
    doubted = _doubted(odds, found.kinds, label) & open_
    # Labels that a person has looked at are no draws of the test.
    looked_at = (of[open_] for of in (traces.index, label, doubted, view.labelled_together))
    shared = shared_values(view.columns, *looked_at)
    kinds = _within_values(found.kinds, shared, view, traces)
    has = _have(shared, view, traces)
    explained = doubted & ~found.far & ~found.usual & has
    if bool(has.any()):
        # What is explained needs no wrong labels: those of the others are not as many.
        rates = rates.without(has)
        odds = wrong_label_odds(kinds, label, rates.expected, found.counts)
        doubted = _doubted(odds, kinds, label) & open_
    source = _have_a_source(shared, view, traces) & ~has
    if bool(source.any()):
        # Where one source has most of the wrong labels, those of all others are not as many.
        rest = ~(source | has)
        fewer = rates.without(~rest)
        others = wrong_label_odds(kinds[:, rest], label[rest], fewer.expected, found.counts)
        odds = odds.masked_scatter(rest, torch.minimum(others, odds[rest]))
        doubted &= source | has | _doubted(odds, kinds, label)
    doubted &= ~found.usual
    suspect = doubted & ~found.far
    explained &= ~suspect
    other = found.votes.scatter(1, label[:, None], -torch.inf).argmax(1)
    suggested = torch.where(suspect | explained, other, label)
    judged = Suspicion(
        traces.index,
        odds.sigmoid(),
        suggested,
        suspect,
        shared,
        int((doubted & found.far).sum()),
        rates.at_most if rates.at_most < 1 else None,
        explained,
        caution(view.held_out),
    )
    return judged.without(view.checked, label)


def _doubted(odds: Tensor, kinds: Tensor, label: Tensor) -> Tensor:
    """Return (N,) bool: more likely wrong than right, and most kinds put another label first.

    A label that no kind puts behind another is none of the wrong ones, however few these are.
    """
    against, told = (kinds > 0).sum(0), (~kinds.isnan()).sum(0)
    doubted = (odds >= 0) & (2 * against > told)
    speaking = kinds[~kinds.isnan().all(1)]
    # Nothing agrees with one kind alone, nor tells how many labels are wrong: a network that has
    # learnt little yet would put half of all labels behind another.
    return doubted & _outliers(speaking[0], label) if len(speaking) == 1 else doubted


def _outliers(kind: Tensor, label: Tensor) -> Tensor:
    """Return (N,) bool: evidence beyond what is usual in the sample's class; False where NaN."""
    found = torch.zeros(len(label), dtype=torch.bool)
    known = ~kind.isnan()
    for c in label[known].unique().tolist():
        own = known & (label == c)
        found[own] = is_far(kind[own], kind[own])
    return found


def _have(shared: tuple[SharedValue, ...], view: TrainingView, traces: Traces) -> Tensor:
    """Return (N,) bool: samples with a value that explains a doubt."""
    has = torch.zeros(len(traces), dtype=torch.bool)
    for value in shared:
        has |= value.explains(view.columns, traces.index, traces.label)
    return has


def _have_a_source(shared: tuple[SharedValue, ...], view: TrainingView, traces: Traces) -> Tensor:
    """Return (N,) bool: samples with a value that explains no doubt, and may be its source."""
    has = torch.zeros(len(traces), dtype=torch.bool)
    for value in shared:
        if not value.classes:
            has |= value.had_by(view.columns, traces.index)
    return has


def _within_values(
    kinds: Tensor, shared: tuple[SharedValue, ...], view: TrainingView, traces: Traces
) -> Tensor:
    """Return (V, N) evidence as if values that explain it made no difference.

    What samples with such a value have more of it than others of their class, by the medians, is
    taken off.
    """
    alike = kinds.clone()
    for value in shared:
        has = value.explains(view.columns, traces.index, traces.label)
        for label in value.classes:
            own = traces.label == label
            more = _median(alike[:, own & has]) - _median(alike[:, own & ~has])
            # A value that makes labels look better says nothing of them.
            alike[:, own & has] -= more.nan_to_num(0).clamp_min(0)
    return alike


def _median(kinds: Tensor) -> Tensor:
    """Return (V, 1) medians of (V, n) evidence, NaN where nothing is known."""
    if kinds.shape[1] == 0:
        return torch.full((len(kinds), 1), torch.nan, dtype=kinds.dtype)
    return kinds.nanmedian(1, keepdim=True).values


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
    gone = (near.row == rows[:, None]) | (near.row < 0)
    row, distance = moved_last(gone, near.row, near.distance)
    return Ranking(row[:, :top], distance[:, :top])
